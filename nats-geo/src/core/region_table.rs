//! The names of regions, each once and by number: a ranking needs no search for them, and an endpoint two bytes.

use super::Region;

/// The names of the regions that the endpoints of a roster are in.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionTable {
    /// And how often each is used. The places of those that are not used at all may be given to others.
    names: Vec<(Region, u32)>,
}

/// The place of a region in a [`RegionTable`], as long as it is used. There are at most two names for each endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RegionNumber(u16);

impl RegionNumber {
    pub(crate) const fn place(self) -> usize {
        self.0 as usize
    }
}

impl RegionTable {
    /// The region is used once more.
    pub(super) fn enter(&mut self, region: Region) -> RegionNumber {
        let known = self.names.iter().position(|(known, uses)| *uses > 0 && *known == region);
        let free = || self.names.iter().position(|(_, uses)| *uses == 0);
        let place = known.or_else(free).unwrap_or(self.names.len());
        match self.names.get_mut(place) {
            Some((_, uses)) if known.is_some() => *uses += 1,
            Some(free) => *free = (region, 1),
            None => self.names.push((region, 1)),
        }
        RegionNumber(u16::try_from(place).unwrap_or(u16::MAX))
    }

    /// The region is used once less.
    pub(super) fn leave(&mut self, number: RegionNumber) {
        self.names[number.place()].1 -= 1;
    }

    /// At start each endpoint is a region of its own; most of that room is not needed for long.
    pub(super) fn trim(&mut self) {
        while self.names.pop_if(|(_, uses)| *uses == 0).is_some() {}
        self.names.shrink_to_fit();
    }

    pub(super) fn name(&self, number: RegionNumber) -> &Region {
        &self.names[number.place()].0
    }

    /// The number of a region, if it is used.
    pub(super) fn number(&self, region: &Region) -> Option<RegionNumber> {
        let place = self.names.iter().position(|(known, uses)| *uses > 0 && known == region)?;
        u16::try_from(place).ok().map(RegionNumber)
    }

    /// In the order of their numbers; there may be some that are not used any more.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Region> {
        self.names.iter().map(|(region, _)| region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_to_another_region_once_nobody_uses_it() {
        let mut table = RegionTable::default();
        let lon = table.enter(Region::new("lon"));
        let ams = table.enter(Region::new("ams"));
        assert_eq!(table.enter(Region::new("lon")), lon);
        table.leave(lon);
        assert_eq!((table.number(&Region::new("lon")), table.name(lon).as_str()), (Some(lon), "lon"));
        table.leave(lon);
        assert_eq!(table.number(&Region::new("lon")), None);
        assert_eq!(table.enter(Region::new("dal")), lon);
        assert_eq!(table.name(ams).as_str(), "ams");
    }

    #[test]
    fn what_is_not_used_at_the_end_is_given_back() {
        let mut table = RegionTable::default();
        let numbers: Vec<_> = ["a", "b", "c"].map(Region::new).map(|region| table.enter(region)).into();
        numbers[1..].iter().for_each(|number| table.leave(*number));
        table.trim();
        assert_eq!(table.iter().map(Region::as_str).collect::<Vec<_>>(), ["a"]);
    }
}
