//! The cheapest cuts that leave no way open, as a minimum cut.
//!
//! A way is a service (in one family of addresses) that the incident spreads through. Since a worm
//! may call whom it never called, every suspect has to be kept from every clean host on every way,
//! so a way is closed in one of two manners: all its clean hosts are shielded, or each of its
//! suspects is blocked on it, for which isolation will do as well. With `x` for "this way is closed
//! at the suspects" and `y` for "this suspect is isolated" the price is
//!
//! ```text
//! Σ shields(way) · (1 − x(way)) + Σ block(suspect, way) · x(way) · (1 − y(suspect))
//!                               + Σ isolation(suspect) · y(suspect)
//! ```
//!
//! in which no product has two variables of the same sign: the price of a cut in the network
//! source → way → suspect → sink with those capacities (Picard and Ratliff 1975). So the minimum is
//! exact, and takes time that is polynomial in the number of suspects and ways.

use super::flow::Network;

/// A way, and what it costs to close it.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// The price of shielding all its clean hosts.
    pub(super) shields: u64,
    /// The suspects that can take it, by number, and the price of blocking each on it.
    pub(super) blocks: Vec<(usize, u64)>,
}

/// How to close every way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The suspects to isolate.
    pub(super) isolated: Vec<bool>,
    /// The ways to close by shields; the others are blocked at suspects that are not isolated.
    pub(super) shielded: Vec<bool>,
    /// What it costs altogether.
    pub(super) price: u64,
}

const SOURCE: usize = 0;
const SINK: usize = 1;
const FIRST: usize = 2;

/// The cheapest choice; of several the one with fewest isolations. `isolations` has a price for
/// each suspect.
pub(super) fn cheapest(isolations: &[u64], ways: &[Way]) -> Choice {
    let suspect = |number: usize| FIRST + ways.len() + number;
    let mut network = Network::new(suspect(isolations.len()));
    for (way, place) in ways.iter().zip(FIRST..) {
        network.connect(SOURCE, place, way.shields);
        for (number, price) in &way.blocks {
            network.connect(place, suspect(*number), *price);
        }
    }
    for (number, price) in isolations.iter().enumerate() {
        network.connect(suspect(number), SINK, *price);
    }
    let price = network.fill(SOURCE, SINK);
    let side = network.side(SOURCE);
    let mut sides = side.into_iter().skip(FIRST);
    let shielded = sides.by_ref().take(ways.len()).map(|of_source| !of_source).collect();
    Choice { shielded, isolated: sides.collect(), price }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prices of a small incident: of isolations; and for each way of its shields and its blocks.
    type Prices = (Vec<u64>, Vec<(Vec<u64>, Vec<u64>)>);

    fn prices() -> impl Strategy<Value = Prices> {
        let some = |most| proptest::collection::vec(1u64..12, 0..=most);
        (1usize..=3).prop_flat_map(move |suspects| {
            let each = || proptest::collection::vec(1u64..12, suspects);
            (each(), proptest::collection::vec((some(2), each()), 0..=2))
        })
    }

    /// Tries every set of single rules: isolations, then the shields and blocks of each way.
    fn by_force((isolations, ways): &Prices) -> u64 {
        let shields_and_blocks =
            ways.iter().flat_map(|(shields, blocks)| shields.iter().chain(blocks));
        let all: Vec<u64> = isolations.iter().chain(shields_and_blocks).copied().collect();
        let is_closed = |set: usize| {
            let holds = |rule: usize| set >> rule & 1 == 1;
            let mut first = isolations.len();
            ways.iter().all(|(shields, blocks)| {
                let (shield, block) = (first, first + shields.len());
                first = block + blocks.len();
                (0..shields.len()).all(|clean| {
                    (0..blocks.len()).all(|suspect| {
                        holds(shield + clean) || holds(block + suspect) || holds(suspect)
                    })
                })
            })
        };
        let price = |set: usize| {
            (0..all.len()).filter(|rule| set >> rule & 1 == 1).map(|rule| all[rule]).sum()
        };
        (0..1usize << all.len()).filter(|set| is_closed(*set)).map(price).min().unwrap()
    }

    fn chosen((isolations, ways): &Prices) -> (Choice, u64) {
        let as_way = |(shields, blocks): &(Vec<u64>, Vec<u64>)| Way {
            shields: shields.iter().sum(),
            blocks: blocks.iter().copied().enumerate().collect(),
        };
        let ways: Vec<_> = ways.iter().map(as_way).collect();
        let choice = cheapest(isolations, &ways);
        let mut paid = 0;
        for (suspect, price) in isolations.iter().enumerate() {
            paid += if choice.isolated[suspect] { *price } else { 0 };
        }
        for (way, shielded) in ways.iter().zip(&choice.shielded) {
            let open = way.blocks.iter().filter(|(suspect, _)| !choice.isolated[*suspect]);
            paid += if *shielded { way.shields } else { open.map(|(_, price)| price).sum() };
        }
        (choice, paid)
    }

    #[test]
    fn isolates_where_blocking_every_way_costs_more() {
        let ways = || {
            (0..3).map(|_| Way { shields: 50, blocks: vec![(0, 4), (1, 1)] }).collect::<Vec<_>>()
        };

        let choice = cheapest(&[10, 10], &ways());

        assert_eq!(choice.isolated, [true, false]);
        assert_eq!(choice.shielded, [false; 3]);
        assert_eq!(choice.price, 13);
    }

    #[test]
    fn shields_the_few_from_the_many() {
        let way = Way { shields: 3, blocks: (0..40).map(|suspect| (suspect, 1)).collect() };

        let choice = cheapest(&[5; 40], &[way]);

        assert_eq!((choice.shielded, choice.price), (vec![true], 3));
        assert!(!choice.isolated.contains(&true));
    }

    proptest! {
        #[test]
        fn nothing_cheaper_closes_every_way(prices in prices()) {
            let (choice, paid) = chosen(&prices);

            prop_assert_eq!(choice.price, by_force(&prices));
            prop_assert_eq!(choice.price, paid);
        }
    }
}
