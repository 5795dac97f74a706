//! Limits on the size of a spec: far above real specs, and small enough for every check to be fast.

use super::{
    node::{Item, Node, Table, quoted_key},
    problem::Fault,
};
use crate::format::count;

/// Largest file, in bytes.
pub(super) const MAX_BYTES: u64 = 4 << 20;
/// The most files that a spec may extend, directly or indirectly.
pub(super) const MAX_FILES: usize = 100;
/// The most entries of a list or table.
const MAX_ENTRIES: usize = 10_000;
/// The most values of a file, including those in lists and tables.
const MAX_VALUES: usize = 200_000;

/// The faults for everything that is too large.
pub(super) fn too_large(root: &Table) -> Vec<Fault> {
    let mut size = Size { values: 0, faults: Vec::new() };
    if root.len() > MAX_ENTRIES {
        // A table without a header begins at its first key.
        let first = root.values().map(|node| node.key.clone()).min_by_key(|span| span.start).unwrap_or(0..0);
        let message =
            format!("the file has {} keys outside of tables; at most {} are allowed", n(root.len()), n(MAX_ENTRIES));
        size.faults.push(Fault::new(first, message));
        return size.faults;
    }
    root.iter().for_each(|(name, node)| size.visit(&mut vec![name.clone()], node));
    if size.faults.is_empty() && size.values > MAX_VALUES {
        let message = format!("the file has {} values; at most {} are allowed", n(size.values), n(MAX_VALUES));
        size.faults.push(Fault::new(0..0, message));
    }
    size.faults
}

fn n(number: usize) -> String {
    count(number as u64)
}

struct Size {
    values: usize,
    faults: Vec<Fault>,
}

impl Size {
    fn visit(&mut self, path: &mut Vec<String>, node: &Node) {
        self.values += 1;
        let entries = match &node.item {
            Item::List(nodes) => nodes.len(),
            Item::Table(table) => table.len(),
            _ => return,
        };
        if entries > MAX_ENTRIES {
            let name = path.iter().map(|part| quoted_key(part)).collect::<Vec<_>>().join(".");
            let most = n(MAX_ENTRIES);
            let message = format!("`{name}` has {} entries; a list or table of a spec has at most {most}", n(entries));
            self.faults.push(Fault::new(node.key.clone(), message));
            return;
        }
        match &node.item {
            Item::List(nodes) => nodes.iter().for_each(|node| self.visit(path, node)),
            Item::Table(table) => {
                for (name, node) in table {
                    path.push(name.clone());
                    self.visit(path, node);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}
