//! What the processor's instructions allow.

/// Whether matrix products can be made in bfloat16.
///
/// Every processor with bfloat16 tiles (AMX) has the vector instructions asked for here as well.
pub fn bf16_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The instructions in which products are made, as people call them: `avx512`, `avx512, avx512-bf16`; empty where there
/// are none beyond what every such processor has.
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
    if bf16 && bf16_supported() {
        used.push("avx512-bf16");
    }
    used.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_say_what_is_used() {
        let (plain, mixed) = (instructions(false), instructions(true));
        assert!(!plain.contains("bf16"));
        assert_eq!(mixed, if bf16_supported() { format!("{plain}, avx512-bf16") } else { plain });
    }
}
