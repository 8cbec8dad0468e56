//! The causes of moves.

use super::MoveCause;

/// The names of one cause of a move, and its meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CauseInfo {
    /// The variant of [`MoveCause`].
    pub variant: &'static str,
    /// The name in snake case: [`MoveCause::name`], the label `cause` of metrics.
    pub name: &'static str,
    /// The name in camel case, for JavaScript.
    pub camel_name: &'static str,
    /// The text in notices, after the colon.
    pub text: &'static str,
    /// The meaning, as one or two sentences.
    pub meaning: &'static str,
}

macro_rules! causes {
    ($($variant:ident $name:literal $camel:literal $text:literal $meaning:literal)*) => {
        /// All causes of moves.
        ///
        /// | cause | text | meaning |
        /// |---|---|---|
        $(#[doc = concat!("| `", $name, "` | ", $text, " | ", $meaning, " |")])*
        pub const CAUSES: &[CauseInfo] = &[$(CauseInfo {
            variant: stringify!($variant),
            name: $name,
            camel_name: $camel,
            text: $text,
            meaning: $meaning,
        }),*];

        impl MoveCause {
            /// Returns the name for machines, such as `region_lost`. Metrics and reports use this name. The name stays
            /// the same in later versions.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Returns the name in camel case, such as `regionLost`, for JavaScript.
            pub const fn camel_name(self) -> &'static str {
                match self { $(Self::$variant => $camel),* }
            }

            /// Returns the text in notices, such as `region lost`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

causes! {
    Suspicion "suspicion" "suspicion" "silent link"
        "The link was silent for too long, and another server answered first. The old link is still open."
    ServerLost "server_lost" "serverLost" "server lost"
        "The link ended, and another server of the same region answered."
    RegionLost "region_lost" "regionLost" "region lost"
        "The link ended, and no other server of its region answered."
    Recovered "recovered" "recovered" "recovered"
        "The silent link that the client had left answers again, and its region ranks first."
    LameDuck "lame_duck" "lameDuck" "lame duck"
        "The server announced its shutdown or restart (lame duck mode)."
    FailBack "fail_back" "failBack" "fail back"
        "The region that the client had left is healthy again, so the client returned to it."
    Faster "faster" "faster" "faster region"
        "Another region became clearly faster than the current one."
    Requested "requested" "requested" "requested"
        "The application asked for a new choice."
    Unhealthy "unhealthy" "unhealthy" "health check failed"
        "The region answers, but it failed a health check of the application."
}
