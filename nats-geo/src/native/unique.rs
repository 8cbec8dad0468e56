//! Random words for names that must be unique.

use std::hash::{BuildHasher as _, RandomState};

/// 128 random bits as hexadecimal digits, which may stand in a subject.
pub(crate) fn unique() -> String {
    // Keyed anew by the operating system in every process, and differently at every call.
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0_u8), random.hash_one(1_u8))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_comes_twice() {
        let words: BTreeSet<_> = (0..1_000).map(|_| unique()).collect();
        assert_eq!(words.len(), 1_000);
        assert!(
            words.iter().all(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        );
    }
}
