//! The table of region names. An endpoint stores the two-byte number of its region instead of the name.

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

    /// When most places are not used any more, they are given up: then the new number for each old place.
    pub(super) fn compact(&mut self) -> Option<Vec<RegionNumber>> {
        let used = self.names.iter().filter(|(_, uses)| *uses > 0).count();
        if 2 * used >= self.names.len() {
            return None;
        }
        let mut next = 0;
        let mut number = |uses: u32| {
            let number = RegionNumber(next);
            next += u16::from(uses > 0);
            number
        };
        let numbers = self.names.iter().map(|(_, uses)| number(*uses)).collect();
        self.names.retain(|(_, uses)| *uses > 0);
        self.names.shrink_to_fit();
        Some(numbers)
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
    fn a_table_that_is_mostly_empty_is_compacted() {
        let mut table = RegionTable::default();
        let numbers: Vec<_> =
            ["a", "b", "c", "d", "e"].map(Region::new).map(|region| table.enter(region)).into();
        for left in [0, 2] {
            table.leave(numbers[left]);
            assert!(table.compact().is_none());
        }
        table.leave(numbers[3]);
        let new = table.compact().unwrap();
        assert_eq!(table.iter().map(Region::as_str).collect::<Vec<_>>(), ["b", "e"]);
        assert_eq!([1, 4].map(|old: usize| table.name(new[old]).as_str()), ["b", "e"]);
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
