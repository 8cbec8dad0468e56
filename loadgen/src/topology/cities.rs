//! Round-trip times as data.

/// A city, and milliseconds to London, Amsterdam and Dallas.
type Row = (&'static str, Option<u16>, Option<u16>, Option<u16>);

/// Milliseconds from a city to London, Amsterdam and Dallas; `None` where no source has the pair.
///
/// Marked by source. I: IBM Cloud's weekly network report of 2026-08-16 (measured, 30-day mean). A: the measured GCP
/// and AWS table of aptos-core, 2023. M: cometbft's AWS table (one-way, doubled). C: the estimates in Azure Cosmos
/// DB's `RegionProximityUtil`. Measured values go before estimates. The Amsterdam of A lies at Eemshaven, hence the
/// firm lon-ams 9 and ams-dal 120 of the public internet between the two cities themselves.
#[rustfmt::skip]
pub(super) const TO_HUBS_MS: &[Row] = &[
    ("lon", None,            Some(9),         Some(113) /*I*/),
    ("ams", Some(9),         None,            Some(120)),
    ("dal", Some(113) /*I*/, Some(120),       None),
    ("fra", Some(13) /*I*/,  Some(11) /*A*/,  Some(123) /*I*/),
    ("par", Some(9) /*A*/,   Some(18) /*A*/,  Some(106) /*C*/),
    ("bru", Some(10) /*A*/,  Some(10) /*A*/,  None),
    ("dub", Some(12) /*A*/,  Some(21) /*A*/,  Some(106) /*C*/),
    ("mad", Some(26) /*I*/,  None,            Some(119) /*I*/),
    ("zrh", Some(20) /*C*/,  Some(12) /*C*/,  Some(118) /*C*/),
    ("sto", Some(32) /*A*/,  Some(27) /*A*/,  Some(132) /*C*/),
    ("hel", Some(41) /*A*/,  Some(34) /*A*/,  None),
    ("iad", Some(76) /*I*/,  Some(81) /*C*/,  Some(32) /*I*/),
    ("tor", Some(83) /*I*/,  Some(96) /*A*/,  Some(35) /*I*/),
    ("yul", Some(79) /*I*/,  None,            Some(42) /*I*/),
    ("chi", Some(90) /*C*/,  Some(102) /*C*/, Some(30) /*C*/),
    ("sfo", Some(136) /*M*/, Some(144) /*C*/, Some(34) /*C*/),
    ("pdx", Some(126) /*M*/, Some(142) /*C*/, Some(44) /*C*/),
    ("sao", Some(181) /*I*/, Some(199) /*A*/, Some(142) /*I*/),
    ("nrt", Some(238) /*I*/, Some(231) /*A*/, Some(145) /*I*/),
    ("sel", Some(236) /*M*/, Some(222) /*C*/, Some(152) /*C*/),
    ("hkg", Some(192) /*C*/, Some(193) /*C*/, Some(182) /*C*/),
    ("sin", Some(170) /*A*/, Some(200) /*A*/, Some(200) /*C*/),
    ("bom", Some(118) /*I*/, Some(142) /*A*/, Some(249) /*I*/),
    ("dxb", Some(120) /*C*/, Some(120) /*C*/, Some(220) /*C*/),
    ("jnb", Some(160) /*C*/, Some(170) /*C*/, Some(264) /*C*/),
    ("syd", Some(261) /*I*/, Some(283) /*A*/, Some(186) /*I*/),
];

/// Other names for the same city.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("tyo", "nrt"),
    ("gru", "sao"),
    ("icn", "sel"),
    ("ord", "chi"),
    ("yyz", "tor"),
    ("arn", "sto"),
    ("cdg", "par"),
];
