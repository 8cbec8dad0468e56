//! The macro that generates constants, lists and names from the rows of the table of events.

/// Rows of `notices` belong to a variant of [`NoticeKind`](crate::core::NoticeKind); rows of `others` do not.
macro_rules! events {
    (
        notices { $(
            $constant:ident = $variant:ident $name:literal $camel:literal $(and $nats_core:literal)?,
            $client:ident $level:ident [$($field:literal)*]
            meaning $meaning:literal
            cause $cause:literal
            remedy $remedy:literal
            example $example:literal
        )* }
        others { $(
            $other:ident = $other_name:literal $other_camel:literal,
            $other_client:ident $other_level:ident [$($other_field:literal)*]
            meaning $other_meaning:literal
            cause $other_cause:literal
            remedy $other_remedy:literal
            example $other_example:literal
        )* }
    ) => {
        $(
            #[doc = $meaning]
            pub const $constant: EventInfo = EventInfo {
                name: $name,
                camel_name: $camel,
                tracing_name: concat!("nats_geo.", $name),
                variant: Some(stringify!($variant)),
                nats_core_type: optional!($($nats_core)?),
                client: Client::$client,
                level: Level::$level,
                fields: &[$($field),*],
                meaning: $meaning,
                cause: $cause,
                remedy: $remedy,
                text_example: $example,
            };
        )*
        $(
            #[doc = $other_meaning]
            pub const $other: EventInfo = EventInfo {
                name: $other_name,
                camel_name: $other_camel,
                tracing_name: concat!("nats_geo.", $other_name),
                variant: None,
                nats_core_type: None,
                client: Client::$other_client,
                level: Level::$other_level,
                fields: &[$($other_field),*],
                meaning: $other_meaning,
                cause: $other_cause,
                remedy: $other_remedy,
                text_example: $other_example,
            };
        )*

        /// All events: the events of [`NoticeKind`] in the order of its variants, then the events for which the client
        /// sends no notice.
        ///
        /// | event | client | level | fields | meaning | cause | remedy |
        /// |---|---|---|---|---|---|---|
        $(#[doc = concat!(
            "| `", $name, "` | ", stringify!($client), " | ", stringify!($level), " | ", $("`", $field, "` ",)* "| ",
            $meaning, " | ", $cause, " | ", $remedy, " |"
        )])*
        $(#[doc = concat!(
            "| `", $other_name, "` | ", stringify!($other_client), " | ", stringify!($other_level), " | ",
            $("`", $other_field, "` ",)* "| ", $other_meaning, " | ", $other_cause, " | ", $other_remedy, " |"
        )])*
        pub const EVENTS: &[EventInfo] = &[$($constant,)* $($other),*];

        impl NoticeKind {
            /// Returns the name for machines, such as `lame_duck`. The name stays the same in later versions.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name),* }
            }

            /// Returns the name in camel case, such as `lameDuck`: the `type` of the status in JavaScript.
            pub const fn camel_name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $camel),* }
            }

            /// Returns the status of nats-core (nats.js) that the browser package emits in addition, such as `ldm`.
            pub const fn nats_core_type(&self) -> Option<&'static str> {
                match self { $(Self::$variant { .. } => optional!($($nats_core)?)),* }
            }

            /// Returns the row of this event: its level, meaning, cause and remedy.
            pub const fn info(&self) -> &'static EventInfo {
                match self { $(Self::$variant { .. } => &$constant),* }
            }
        }
    };
}
pub(super) use events;
