//! Short names, stored so that they need little memory and are fast to compare.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A text that takes no heap if it is as short as names of regions usually are: each client keeps dozens of them.
#[derive(Clone)]
pub(crate) enum Name {
    /// UTF-8, filled with zeros: a comparison takes the whole array and needs no loop.
    Short {
        bytes: [u8; SHORT_MAX],
        len: u8,
    },
    Long(Box<str>),
}

/// What fits into the room that a `String` takes.
const SHORT_MAX: usize = 22;

impl Name {
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { bytes, len }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // It was made from a text, so it is one.
            Self::Short { bytes, len } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => &bytes[..usize::from(*len)],
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short { bytes, len }, Self::Short { bytes: others, len: its_len }) => {
                bytes == others && len == its_len
            }
            (Self::Long(text), Self::Long(other)) => text == other,
            _ => false,
        }
    }
}

impl Eq for Name {}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_the_room_of_a_string() {
        assert_eq!(size_of::<Name>(), size_of::<String>());
    }

    proptest! {
        #[test]
        fn it_is_the_text_that_it_was_made_from(a in ".{0,30}", b in "[\0ab]{0,30}") {
            for (text, other) in [(&a, &b), (&b, &a), (&b, &b)] {
                let (name, its) = (Name::new(text), Name::new(other));
                prop_assert_eq!(name.as_str(), text);
                prop_assert_eq!(name.as_bytes(), text.as_bytes());
                prop_assert_eq!(name == its, text == other);
                prop_assert_eq!(name.cmp(&its), text.cmp(other));
            }
        }
    }
}
