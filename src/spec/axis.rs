//! One axis of `[sweep.axes]`: a list of values, or a table with values or a range and an optional condition.
//!
//! A table is stored as a list of that one table: lists are replaced as a whole when layers are merged, whereas tables would be merged
//! key by key, so that `log` from one file and `uniform` from another would end up in the same axis.

use super::{
    Kind,
    check::Check,
    closest::closest,
    keys::Key,
    node::{Item, Node, Table, quoted_key},
    problem::Fault,
    value::twice,
};

/// The forms of an axis, of which its table has exactly one.
const FORMS: &[&str] = &["values", "choice", "log", "uniform", "int"];

/// Names of the forms in other tools.
const ELSEWHERE: &[(&str, &str)] = &[
    ("value", "values"),
    ("choices", "choice"),
    ("categorical", "choice"),
    ("loguniform", "log"),
    ("log_uniform", "log"),
    ("log_uniform_values", "log"),
    ("range", "uniform"),
    ("interval", "uniform"),
    ("float", "uniform"),
    ("int_uniform", "int"),
    ("randint", "int"),
    ("integer", "int"),
    ("if", "when"),
    ("condition", "when"),
];

/// What other tools call the ends of a range.
const ENDS: &[&str] = &["min", "max", "low", "high"];

impl Check<'_> {
    /// Checks one axis. Invalid values are removed; returns whether the axis remains.
    pub(super) fn axis(&mut self, path: &str, node: &mut Node) -> bool {
        let Some(key) = self.swept(path, node) else { return false };
        match &mut node.item {
            Item::List(_) => self.values(key, node, true),
            Item::Table(_) => self.form(key, node),
            _ => self.no_list(path, node),
        }
        true
    }

    /// A list of values.
    pub(super) fn values(&mut self, key: &Key, node: &mut Node, unique: bool) {
        let path = key.path;
        let Item::List(values) = &mut node.item else { return self.no_list(path, node) };
        if values.is_empty() {
            self.faults
                .push(Fault::new(node.span.clone(), format!("the axis `{path}` has no values; expected at least one")));
        }
        values.retain_mut(|value| {
            let faults = key.kind.check(path, value, self.folder);
            let fine = faults.is_empty();
            self.faults.extend(faults);
            fine
        });
        if unique {
            self.faults.extend(twice(path, values));
        }
    }

    /// The key remains swept, without values, so that other references to it are not reported as well.
    fn no_list(&mut self, path: &str, node: &mut Node) {
        let message = format!("the axis `{path}` is {}; expected a list of values", node.found());
        let help = match &node.item {
            Item::Table(_) => "write ranges and conditions in `[sweep.axes]`".to_string(),
            _ => format!("write [{node}]"),
        };
        self.faults.push(Fault::new(node.span.clone(), message).help(help));
        node.item = Item::List(Vec::new());
    }

    /// `{ log = [1e-6, 1e-3], when = { … } }`.
    fn form(&mut self, key: &'static Key, node: &mut Node) {
        let Item::Table(table) = std::mem::replace(&mut node.item, Item::List(Vec::new())) else { return };
        let path = key.path;
        let (mut over, mut when) = (None, None);
        let (mut spoilt, mut ended) = (false, false);
        for (name, mut value) in table {
            if name == "when" {
                when = self.when(key, &mut value).then_some(value);
            } else if !FORMS.contains(&name.as_str()) {
                // The two ends of a range are one mistake.
                let is_end = ENDS.contains(&name.as_str());
                if !(is_end && std::mem::replace(&mut ended, true)) {
                    self.faults.push(unknown(path, &name, &value));
                }
                spoilt = true;
            } else if let Some((first, _)) = &over {
                let message = format!("the axis `{path}` has both `{first}` and `{name}`; expected one of them");
                self.faults.push(Fault::new(value.key.clone(), message));
            } else {
                spoilt |= match name.as_str() {
                    "values" | "choice" => {
                        self.values(key, &mut value, true);
                        false
                    }
                    form => !self.range(key, form, &mut value),
                };
                over = Some((if name == "choice" { "values".to_string() } else { name }, value));
            }
        }
        match over {
            None if !spoilt => {
                let forms = FORMS.iter().map(|form| format!("`{form}`")).collect::<Vec<_>>().join(", ");
                let message = format!("the axis `{path}` has no values; expected one of {forms}");
                self.faults.push(Fault::new(node.span.clone(), message));
            }
            Some((form, value)) if !spoilt => {
                node.item = match when {
                    None if form == "values" => value.item,
                    when => {
                        let entries = std::iter::once((form, value)).chain(when.map(|when| ("when".into(), when)));
                        Item::List(vec![Node::new(node.span.clone(), Item::Table(entries.collect()))])
                    }
                };
            }
            _ => {}
        }
    }

    /// `[low, high]` of a form; returns whether the key can be drawn from it.
    fn range(&mut self, key: &Key, form: &str, node: &mut Node) -> bool {
        let (path, before) = (key.path, self.faults.len());
        let help = match (form, key.kind) {
            ("int", Kind::Whole(..)) | ("log" | "uniform", Kind::Number(..) | Kind::HeldOut(_)) => None,
            ("int", Kind::Number(..) | Kind::HeldOut(_)) => Some("write `uniform` or `log`"),
            (_, Kind::Whole(..)) => Some("write `int`, or list the values"),
            _ => Some("list the values"),
        };
        if let Some(help) = help {
            let message = format!("`{path}` takes {}; `{form}` draws {}", key.kind.expects(), draws(form));
            self.faults.push(Fault::new(node.key.clone(), message).help(help));
            return false;
        }
        let found = node.found();
        let Item::List(ends) = &mut node.item else {
            let message = format!("`{form}` of `{path}` is {found}; expected a list of its two bounds");
            self.faults.push(Fault::new(node.span.clone(), message).help(format!("write {form} = [LOW, HIGH]")));
            return false;
        };
        let [low, high] = &mut ends[..] else {
            let message = format!(
                "`{form}` of `{path}` has {}; expected its two bounds",
                crate::format::counted(ends.len() as u64, "number")
            );
            self.faults.push(Fault::new(node.span.clone(), message).help(format!("write {form} = [LOW, HIGH]")));
            return false;
        };
        for end in [&mut *low, &mut *high] {
            let mut faults = key.kind.check(path, end, self.folder);
            if faults.is_empty() && form == "log" && end.number().is_some_and(|end| end <= 0.0) {
                let message = format!("`log` of `{path}` contains {end}; expected numbers above 0");
                faults = vec![Fault::new(end.span.clone(), message).help("0 has no logarithm: write `uniform`")];
            }
            self.faults.extend(faults);
        }
        if self.faults.len() == before && !low.is_below(high) {
            let (message, help) = match low.same(high) {
                true => (format!("`{form}` of `{path}` begins and ends at {low}"), format!("write [{low}]")),
                false => {
                    let message = format!("`{form}` of `{path}` goes from {low} down to {high}");
                    (message, format!("write {form} = [{high}, {low}]"))
                }
            };
            self.faults.push(Fault::new(node.span.clone(), message).help(help));
        }
        self.faults.len() == before
    }

    /// `when = { KEY = VALUE, … }`; returns whether a condition remains.
    fn when(&mut self, key: &Key, node: &mut Node) -> bool {
        let (path, found) = (key.path, node.found());
        let table = match &mut node.item {
            Item::Table(table) if !table.is_empty() => table,
            _ => {
                let message =
                    format!("`when` of `{path}` is {found}; expected keys, each with the value that it must have");
                let help = "write when = { \"train.scheduler\" = \"linear\" }";
                self.faults.push(Fault::new(node.span.clone(), message).help(help));
                return false;
            }
        };
        self.flatten(table);
        table.retain(|other, value| self.condition(path, other, value));
        !table.is_empty()
    }

    /// One condition of `path`.
    fn condition(&mut self, path: &str, other: &str, value: &mut Node) -> bool {
        let Some(key) = self.swept(other, value) else { return false };
        let refused = match other {
            _ if other == path => Some(format!("`{path}` cannot depend on itself")),
            "train.seed" | "data.fold" => {
                Some(format!("`{path}` cannot depend on `{other}`: the runs of a trial differ only in `{other}`"))
            }
            _ => None,
        };
        let faults = match refused {
            Some(message) => vec![Fault::new(value.key.clone(), message)],
            None => key.kind.check(other, value, self.folder),
        };
        let fine = faults.is_empty();
        self.faults.extend(faults);
        fine
    }
}

/// What a form draws, in words.
fn draws(form: &str) -> &'static str {
    if form == "int" { "integers" } else { "numbers of any kind" }
}

/// An unknown key of an axis.
fn unknown(path: &str, name: &str, node: &Node) -> Fault {
    let known = ELSEWHERE.iter().find(|(other, _)| *other == name).map(|(_, form)| *form);
    let help: String = match (name, known.or_else(|| closest(name, FORMS.iter().copied().chain(["when"])))) {
        (name, _) if ENDS.contains(&name) || ["distribution", "type", "q", "step"].contains(&name) => {
            "write log = [LOW, HIGH], uniform = [LOW, HIGH] or int = [LOW, HIGH]".to_string()
        }
        (_, Some(close)) => format!("did you mean `{close}`?"),
        (_, None) => format!("an axis has one of {}, and may have `when`", FORMS.join(", ")),
    };
    Fault::new(node.key.clone(), format!("unknown key `{}` in the axis `{path}`", quoted_key(name))).help(help)
}

/// Whether a table is an axis, rather than the rest of a dotted path.
pub(super) fn is_axis(table: &Table) -> bool {
    table.keys().any(|name| name == "when" || FORMS.contains(&name.as_str()))
}

impl Node {
    fn number(&self) -> Option<f64> {
        match self.item {
            Item::Integer(number) => Some(number as f64),
            Item::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Whether both are numbers of the same kind and this one is smaller.
    fn is_below(&self, other: &Node) -> bool {
        match (&self.item, &other.item) {
            (Item::Integer(a), Item::Integer(b)) => a < b,
            (Item::Float(a), Item::Float(b)) => a < b,
            _ => false,
        }
    }
}
