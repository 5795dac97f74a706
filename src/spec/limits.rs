//! How large a spec may be: far beyond what anybody writes, and small enough for every check to be quick.

use super::{
    node::{Item, Node, Table, quoted_key},
    problem::Fault,
};
use crate::format::count;

/// Bytes of a file.
pub(super) const MAX_BYTES: u64 = 4 << 20;
/// Files that a spec extends, directly or not.
pub(super) const MAX_FILES: usize = 100;
/// Entries of a list or a table.
const MAX_ENTRIES: usize = 10_000;
/// Values of a file, those within lists and tables included.
const MAX_VALUES: usize = 200_000;

/// What is larger than it may be.
pub(super) fn too_large(root: &Table) -> Vec<Fault> {
    let mut size = Size { values: 0, faults: Vec::new() };
    if root.len() > MAX_ENTRIES {
        // A table without a header begins where its first key does.
        let first = root.values().map(|node| node.key.clone()).min_by_key(|span| span.start).unwrap_or(0..0);
        let message =
            format!("the file has {} keys above every table; at most {} are read", n(root.len()), n(MAX_ENTRIES));
        size.faults.push(Fault::new(first, message));
        return size.faults;
    }
    root.iter().for_each(|(name, node)| size.look(&mut vec![name.clone()], node));
    if size.faults.is_empty() && size.values > MAX_VALUES {
        let message = format!("the file has {} values; at most {} are read", n(size.values), n(MAX_VALUES));
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
    fn look(&mut self, path: &mut Vec<String>, node: &Node) {
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
            Item::List(nodes) => nodes.iter().for_each(|node| self.look(path, node)),
            Item::Table(table) => {
                for (name, node) in table {
                    path.push(name.clone());
                    self.look(path, node);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}
