//! Which numbered messages of a publisher were attempted, acknowledged and delivered.
//!
//! Two bits a message. A block whose messages were all acknowledged and delivered is dropped, so memory is bounded by
//! the gaps and what is on its way, not by the length of a run.

use std::collections::BTreeMap;

/// The messages of one publisher, numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    attempted: u64,
    acknowledged: u64,
    delivered: u64,
    duplicated: u64,
    reordered: u64,
    unexpected: u64,
    /// The highest number that was delivered, plus one.
    next: u64,
    /// Blocks below this one with nothing missing are gone.
    blocks: BTreeMap<u64, Block>,
    /// Numbers below this belong to blocks that exist or are complete.
    blocks_begun: u64,
}

#[derive(Clone, Debug)]
struct Block {
    acknowledged: [u64; WORDS],
    delivered: [u64; WORDS],
}

/// Sums over one ledger or several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Totals {
    /// Published, or tried to.
    pub attempted: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Delivered at least once.
    pub delivered: u64,
    /// Acknowledged, never delivered: before the first delivery of the publisher.
    pub lost_prefix: u64,
    /// The same between deliveries.
    pub lost_middle: u64,
    /// The same after the last delivery.
    pub lost_suffix: u64,
    /// Deliveries beyond the first.
    pub duplicated: u64,
    /// Deliveries after a later message.
    pub reordered: u64,
    /// Deliveries of what was never attempted.
    pub unexpected: u64,
    /// Delivered without an acknowledgement.
    pub recovered: u64,
}

impl Totals {
    /// Acknowledged, never delivered.
    pub fn lost(&self) -> u64 {
        self.lost_prefix + self.lost_middle + self.lost_suffix
    }

    /// Adds another publisher's.
    pub fn add(&mut self, other: &Self) {
        self.attempted += other.attempted;
        self.acknowledged += other.acknowledged;
        self.delivered += other.delivered;
        self.lost_prefix += other.lost_prefix;
        self.lost_middle += other.lost_middle;
        self.lost_suffix += other.lost_suffix;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.unexpected += other.unexpected;
        self.recovered += other.recovered;
    }
}

impl Ledger {
    /// Returns the number of the next message, which is attempted now.
    pub fn attempt(&mut self) -> u64 {
        let number = self.attempted;
        self.attempted += 1;
        if number == self.blocks_begun {
            self.blocks.insert(number / BLOCK, Block::NEW);
            self.blocks_begun += BLOCK;
        }
        number
    }

    /// The message was acknowledged.
    pub fn acknowledge(&mut self, number: u64) {
        if let Some(block) = self.blocks.get_mut(&(number / BLOCK))
            && Block::set(&mut block.acknowledged, number)
        {
            self.acknowledged += 1;
            self.drop_if_complete(number / BLOCK);
        }
    }

    /// The message was delivered.
    pub fn deliver(&mut self, number: u64) {
        if number >= self.attempted {
            self.unexpected += 1;
            return;
        }
        let is_new = match self.blocks.get_mut(&(number / BLOCK)) {
            Some(block) => Block::set(&mut block.delivered, number),
            // Everything in it was delivered before.
            None => false,
        };
        if !is_new {
            self.duplicated += 1;
            return;
        }
        self.delivered += 1;
        if number < self.next {
            self.reordered += 1;
        }
        self.next = self.next.max(number + 1);
        self.drop_if_complete(number / BLOCK);
    }

    /// How many numbers it holds bits for.
    pub fn held(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK
    }

    /// The sums, once nothing is on its way any more.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            attempted: self.attempted,
            acknowledged: self.acknowledged,
            delivered: self.delivered,
            duplicated: self.duplicated,
            reordered: self.reordered,
            unexpected: self.unexpected,
            ..Totals::default()
        };
        let mut lost = Vec::new();
        let mut first_delivered = self.first_in_dropped_block();
        for (index, block) in &self.blocks {
            for word in 0..WORDS {
                let (acknowledged, delivered) = (block.acknowledged[word], block.delivered[word]);
                totals.recovered += u64::from((delivered & !acknowledged).count_ones());
                let begin = index * BLOCK + word as u64 * 64;
                lost.extend(bits(acknowledged & !delivered).map(|bit| begin + bit));
                if let Some(bit) = bits(delivered).next() {
                    first_delivered =
                        Some(first_delivered.map_or(begin + bit, |first| first.min(begin + bit)));
                }
            }
        }
        for number in lost {
            match first_delivered {
                Some(first) if number < first => totals.lost_prefix += 1,
                Some(_) if number < self.next => totals.lost_middle += 1,
                _ => totals.lost_suffix += 1,
            }
        }
        totals
    }

    fn first_in_dropped_block(&self) -> Option<u64> {
        let blocks = self.blocks_begun / BLOCK;
        (0..blocks).find(|index| !self.blocks.contains_key(index)).map(|index| index * BLOCK)
    }

    fn drop_if_complete(&mut self, index: u64) {
        let is_complete = |block: &Block| {
            let all = |words: &[u64; WORDS]| words.iter().all(|word| *word == u64::MAX);
            all(&block.acknowledged) && all(&block.delivered)
        };
        if self.blocks.get(&index).is_some_and(is_complete) {
            self.blocks.remove(&index);
        }
    }
}

impl Block {
    const NEW: Self = Self { acknowledged: [0; WORDS], delivered: [0; WORDS] };

    /// Returns whether the bit was clear.
    fn set(words: &mut [u64; WORDS], number: u64) -> bool {
        let place = number % BLOCK;
        let (word, bit) = (&mut words[(place / 64) as usize], 1 << (place % 64));
        let was_clear = *word & bit == 0;
        *word |= bit;
        was_clear
    }
}

fn bits(word: u64) -> impl Iterator<Item = u64> {
    (0..64).filter(move |bit| word & (1 << bit) != 0)
}

/// Messages per block: a kilobyte of bits.
const BLOCK: u64 = 4_096;

const WORDS: usize = (BLOCK / 64) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_seen() {
        let mut ledger = Ledger::default();
        let numbers: Vec<u64> = (0..10).map(|_| ledger.attempt()).collect();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        for number in [0, 1, 2, 4, 5, 7, 9, 9] {
            ledger.acknowledge(number);
        }
        for number in [2, 5, 3, 5, 7, 12] {
            ledger.deliver(number);
        }
        let expected = Totals {
            attempted: 10,
            acknowledged: 7,
            delivered: 4,
            lost_prefix: 2,
            lost_middle: 1,
            lost_suffix: 1,
            duplicated: 1,
            reordered: 1,
            unexpected: 1,
            recovered: 1,
        };
        assert_eq!(ledger.totals(), expected);
        assert_eq!(expected.lost(), 4);
    }

    #[test]
    fn memory_is_bounded_by_what_is_missing() {
        let mut ledger = Ledger::default();
        for _ in 0..20 * BLOCK {
            let number = ledger.attempt();
            ledger.acknowledge(number);
            if number != 5 {
                ledger.deliver(number);
            }
        }
        assert_eq!(ledger.held(), BLOCK, "the block of number 5");
        ledger.deliver(BLOCK + 1);
        let totals = ledger.totals();
        assert_eq!((totals.lost_middle, totals.lost(), totals.duplicated), (1, 1, 1));
        ledger.deliver(5);
        assert_eq!((ledger.held(), ledger.totals().lost(), ledger.totals().reordered), (0, 0, 1));
    }
}
