//! The built-in model shapes.

/// A built-in model shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// 2 layers of 64.
    Tiny,
    /// 4 layers of 256.
    Small,
    /// 3 layers of 768, the architecture of hfl/rbt3.
    Rbt3,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Tiny, Self::Small, Self::Rbt3];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Rbt3 => "rbt3",
        }
    }

    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }
}
