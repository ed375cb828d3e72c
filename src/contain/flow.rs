//! Maximum flow, and the minimum cut that it proves.

use std::collections::VecDeque;

/// A network of pipes with capacities.
#[derive(Debug, Default)]
pub(super) struct Network {
    /// The arcs that leave each node, by their place in `arcs`.
    nodes: Vec<Vec<usize>>,
    /// Every arc at an even place, what can be taken back of it right behind.
    arcs: Vec<Arc>,
}

#[derive(Clone, Copy, Debug)]
struct Arc {
    to: usize,
    /// What still fits.
    room: u64,
}

impl Network {
    /// A network of `nodes` nodes and no arc.
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes: vec![Vec::new(); nodes], arcs: Vec::new() }
    }

    /// Lays an arc; one from or to a node that there is not carries nothing.
    pub(super) fn connect(&mut self, from: usize, to: usize, capacity: u64) {
        let place = self.arcs.len();
        self.arcs.push(Arc { to, room: capacity });
        self.arcs.push(Arc { to: from, room: 0 });
        for (node, place) in [(from, place), (to, place + 1)] {
            if let Some(leaving) = self.nodes.get_mut(node) {
                leaving.push(place);
            }
        }
    }

    /// The largest flow from `source` to `sink`, by shortest augmenting paths a layer at a time
    /// (Dinic 1970): O(nodes² · arcs). Leaves the network full.
    pub(super) fn fill(&mut self, source: usize, sink: usize) -> u64 {
        let mut flow = 0;
        loop {
            let layers = self.layers(source);
            if layers.get(sink).copied().flatten().is_none() {
                return flow;
            }
            let mut tried = vec![0; self.nodes.len()];
            loop {
                let pushed = self.push(source, sink, &layers, &mut tried);
                if pushed == 0 {
                    break;
                }
                flow += pushed;
            }
        }
    }

    /// Which nodes `source` still reaches in a full network: its side of a minimum cut (Ford and
    /// Fulkerson 1956), the smallest of all such sides.
    pub(super) fn side(&self, source: usize) -> Vec<bool> {
        self.layers(source).into_iter().map(|layer| layer.is_some()).collect()
    }

    /// How many arcs with room lead from `source` to each node.
    fn layers(&self, source: usize) -> Vec<Option<u32>> {
        let mut layers = vec![None; self.nodes.len()];
        let mut queue = VecDeque::new();
        if let Some(layer) = layers.get_mut(source) {
            *layer = Some(0);
            queue.push_back((source, 0));
        }
        while let Some((node, depth)) = queue.pop_front() {
            for place in self.nodes.get(node).into_iter().flatten() {
                let Some(arc) = self.arcs.get(*place) else { continue };
                let Some(layer) = layers.get_mut(arc.to) else { continue };
                if arc.room > 0 && layer.is_none() {
                    *layer = Some(depth + 1);
                    queue.push_back((arc.to, depth + 1));
                }
            }
        }
        layers
    }

    /// Sends something along one path that goes a layer further with every arc; 0 if there is none.
    /// `tried` counts, for each node, the arcs that lead nowhere any more.
    fn push(
        &mut self,
        source: usize,
        sink: usize,
        layers: &[Option<u32>],
        tried: &mut [usize],
    ) -> u64 {
        let mut path: Vec<usize> = Vec::new();
        loop {
            let end = path.last().and_then(|place| self.arcs.get(*place));
            let node = end.map_or(source, |arc| arc.to);
            if node == sink {
                return self.send(&path);
            }
            let next = tried.get(node).and_then(|at| self.nodes.get(node)?.get(*at)).copied();
            let Some(place) = next else {
                // A dead end: back, and on to the next arc of the node before.
                let Some(back) = path.pop() else { return 0 };
                self.give_up(back, tried);
                continue;
            };
            if self.leads_on(node, place, layers) {
                path.push(place);
            } else if let Some(at) = tried.get_mut(node) {
                *at += 1;
            }
        }
    }

    fn leads_on(&self, node: usize, place: usize, layers: &[Option<u32>]) -> bool {
        let layer = |node: usize| layers.get(node).copied().flatten();
        self.arcs.get(place).is_some_and(|arc| {
            arc.room > 0 && layer(arc.to).is_some() && layer(arc.to) == layer(node).map(|l| l + 1)
        })
    }

    fn give_up(&self, place: usize, tried: &mut [usize]) {
        // The arc's other half points to where it leaves.
        let from = self.arcs.get(place ^ 1).map(|back| back.to);
        if let Some(at) = from.and_then(|from| tried.get_mut(from)) {
            *at += 1;
        }
    }

    /// Sends what fits through all of `path`.
    fn send(&mut self, path: &[usize]) -> u64 {
        let rooms = path.iter().filter_map(|place| self.arcs.get(*place)).map(|arc| arc.room);
        let amount = rooms.min().unwrap_or(0);
        for place in path {
            if let Some(arc) = self.arcs.get_mut(*place) {
                arc.room -= amount;
            }
            if let Some(back) = self.arcs.get_mut(*place ^ 1) {
                back.room += amount;
            }
        }
        amount
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(nodes: usize, arcs: &[(usize, usize, u64)]) -> Network {
        let mut network = Network::new(nodes);
        for (from, to, capacity) in arcs {
            network.connect(*from, *to, *capacity);
        }
        network
    }

    fn crossing(arcs: &[(usize, usize, u64)], side: impl Fn(usize) -> bool) -> u64 {
        arcs.iter().filter(|(from, to, _)| side(*from) && !side(*to)).map(|arc| arc.2).sum()
    }

    #[test]
    fn takes_back_what_a_first_path_took_too_much() {
        let arcs = [(0, 1, 1), (0, 2, 1), (1, 2, 1), (1, 3, 1), (2, 3, 1)];

        assert_eq!(network(4, &arcs).fill(0, 3), 2);
    }

    #[test]
    fn nothing_flows_where_nothing_leads() {
        let mut network = network(3, &[(0, 1, 5), (2, 1, 5)]);

        assert_eq!(network.fill(0, 2), 0);
        assert_eq!(network.side(0), [true, true, false]);
    }

    proptest! {
        #[test]
        fn the_cut_is_what_flows_and_no_other_is_less(
            arcs in proptest::collection::vec((0usize..6, 0usize..6, 0u64..9), 0..20),
        ) {
            let mut network = network(6, &arcs);

            let flow = network.fill(0, 5);
            let side = network.side(0);

            prop_assert_eq!(crossing(&arcs, |node| side[node]), flow);
            let least = (0..16).map(|inner: usize| {
                crossing(&arcs, |node| node == 0 || (node < 5 && inner >> (node - 1) & 1 == 1))
            });
            prop_assert_eq!(least.min(), Some(flow));
        }
    }
}
