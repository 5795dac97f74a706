//! What the processor's instructions allow.

use super::bf16_instructions;

/// The vector instructions of products, by their usual names: `avx512`, `avx512, amx-bf16`; empty where there are none
/// beyond what every such processor has.
pub fn instructions(bf16: bool) -> String {
    let mut used = Vec::new();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        used.push("avx512");
    } else if std::arch::is_x86_feature_detected!("fma") {
        used.push("avx2");
    }
    #[cfg(target_arch = "aarch64")]
    used.push("neon");
    used.extend(bf16_instructions().filter(|_| bf16));
    used.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_say_what_is_used() {
        let (plain, mixed) = (instructions(false), instructions(true));
        assert!(!plain.contains("bf16"));
        match bf16_instructions() {
            Some(name) => assert_eq!(mixed, format!("{plain}, {name}")),
            None => assert_eq!(mixed, plain),
        }
    }
}
