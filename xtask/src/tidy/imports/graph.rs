//! Cycles of a graph of files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For each file, the files that it imports from, and the names.
pub(super) type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The shortest cycle through each file that is part of one, each cycle once:
/// `a.rs → b.rs (name) → a.rs (name)`.
pub(super) fn cycles(edges: &Edges) -> Vec<String> {
    let cycles: BTreeSet<Vec<&String>> = edges
        .keys()
        .filter_map(|start| shortest(edges, start))
        .collect();
    cycles.iter().map(|cycle| describe(edges, cycle)).collect()
}

/// The shortest cycle through `start`, its least file first.
fn shortest<'a>(edges: &'a Edges, start: &'a String) -> Option<Vec<&'a String>> {
    let mut previous: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut cycle: Vec<&String> =
                    std::iter::successors(Some(file), |file| previous.get(*file).copied())
                        .collect();
                cycle.reverse();
                let least = cycle.iter().enumerate().min_by_key(|(_, file)| **file)?.0;
                cycle.rotate_left(least);
                return Some(cycle);
            }
            if !previous.contains_key(next) {
                previous.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

fn describe(edges: &Edges, cycle: &[&String]) -> String {
    let mut text = cycle
        .first()
        .map_or_else(String::new, |file| (*file).clone());
    let next = cycle.iter().skip(1).chain(cycle.first());
    for (from, to) in cycle.iter().zip(next) {
        let names = edges.get(*from).and_then(|targets| targets.get(*to));
        let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        text = format!("{text} → {to} ({})", names.join(", "));
    }
    text
}
