//! Single values: environment variables and `--set` arguments.
//!
//! figment's own environment provider reads the process's environment itself and parses values in its own syntax, in which `2e-5` is a
//! string. Here variables are passed in, and values are TOML.

use toml::de::{DeTable, DeValue};

use super::{
    hint, keys,
    layer::{Layer, Origin},
    node::{Item, Node, Span, Table, table_from_toml},
    problem::{Fault, Location, Problem},
    suggest::key_like,
    variables::{PREFIX, sets_a_key},
};

/// The layers of all variables that set keys, sorted by name: `TAPER_` and a path with `__` between its parts, and the two keys
/// outside every table. Other variables are ignored.
pub(super) fn from_environment(environment: &[(String, String)]) -> (Vec<Layer>, Vec<Problem>) {
    let mut variables: Vec<_> = environment
        .iter()
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX).filter(|_| sets_a_key(name))?;
            Some((name, path, value))
        })
        .collect();
    variables.sort();
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for (name, path, value) in variables {
        let text = format!("{name}={value}");
        let path: Vec<_> = path.split("__").map(str::to_lowercase).collect();
        let writer = Origin::Variable(name.clone());
        if path.iter().any(String::is_empty) {
            let layer = Layer::new(writer, text, Table::new());
            let fault = Fault::new(0..name.len(), "a part of the key is empty; expected `TAPER_SECTION__KEY`");
            problems.push(layer.problem(fault));
            continue;
        }
        let path: Vec<_> = path.into_iter().map(|part| (part, 0..name.len())).collect();
        match assign(&path, (&text, value), name.len() + 1) {
            Ok(root) => layers.push(Layer::new(writer, text, root)),
            Err(fault) => problems.push(Layer::new(writer, text, Table::new()).problem(fault)),
        }
    }
    (layers, problems)
}

/// The layers of `--set KEY=VALUE` arguments, in order.
pub(super) fn from_arguments(sets: &[String]) -> (Vec<Layer>, Vec<Problem>) {
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for text in sets {
        let refuse = |span: Span, message: &str| Problem {
            location: Some(Location::new("--set".into(), text, span, false)),
            message: message.into(),
            help: Some(usage(text)),
        };
        let Some((key, value)) = text.split_once('=') else {
            problems.push(refuse(0..text.len(), &format!("`{text}` has no `=`")));
            continue;
        };
        match dotted(key) {
            Some(path) => match assign(&path, (text, value), key.len() + 1) {
                Ok(root) => layers.push(Layer::new(Origin::Set(text.clone()), text.clone(), root)),
                Err(fault) => {
                    problems.push(Layer::new(Origin::Set(text.clone()), text.clone(), Table::new()).problem(fault));
                }
            },
            None => problems.push(refuse(0..key.len(), &format!("`{key}` cannot be the name of a key"))),
        }
    }
    (layers, problems)
}

/// How to write an argument, with its own key if that exists.
fn usage(text: &str) -> String {
    let name = text.split(['=', ':', ' ']).next().unwrap_or_default();
    let close = || key_like(name, |key| key.section() != "probes").filter(|_| !name.is_empty());
    match keys::find(name).map(|key| key.path).or_else(close) {
        Some(key) => {
            let rest = text.strip_prefix(key).map(|rest| rest.trim_start_matches([':', ' '])).unwrap_or_default();
            format!("write --set {key}={}", if rest.is_empty() || rest.contains('=') { "VALUE" } else { rest })
        }
        None => "write --set KEY=VALUE, such as --set train.lr=1e-5".into(),
    }
}

/// The parts of a dotted TOML key, each with its span.
fn dotted(key: &str) -> Option<Vec<(String, Span)>> {
    let document = format!("{key}=0");
    let table = DeTable::parse(&document).ok().filter(|_| !key.contains(['\n', '[', '#']))?;
    let mut table = table_from_toml(table.get_ref(), 0);
    let mut path = Vec::new();
    while let Some((name, node)) = table.pop_first() {
        path.push((name, node.key));
        table = match node.item {
            Item::Table(inner) => inner,
            _ => Table::new(),
        };
    }
    Some(path)
}

/// The nested tables of one value, which begins at `offset` of `text`. The value is TOML; if the key takes only strings, or it is not valid
/// TOML, it is the string itself.
///
/// # Errors
/// It begins as a list or a table of TOML, and is none.
fn assign(path: &[(String, Span)], (text, value): (&str, &str), offset: usize) -> Result<Table, Fault> {
    let names: Vec<_> = path.iter().map(|(name, _)| name.as_str()).collect();
    let kind = keys::find(&names.join(".")).map(|key| key.kind);
    let wants_string = kind.is_some_and(|kind| kind.takes_only_strings()) || names.starts_with(&["data", "labels"]);
    let bare = || Node::new(offset..offset + value.len(), Item::Text(value.to_string()));
    let spaces = value.len() - value.trim_start().len();
    let takes_one = kind.is_some() || names.starts_with(&["sweep", "axes"]);
    let is_list_or_table = value.trim_start().starts_with(['[', '{']);
    let mut node = match DeValue::parse(value.trim()) {
        Err(error) if takes_one && !wants_string_alone(&names, wants_string) && is_list_or_table => {
            return Err(no_list_or_table(text, value, offset + spaces, &error));
        }
        Ok(parsed) if !wants_string || parsed.get_ref().is_str() || names == ["data", "labels"] => {
            Node::from_toml(&parsed, offset + spaces)
        }
        _ => bare(),
    };
    for (i, (name, span)) in path.iter().enumerate().rev() {
        node.key = span.clone();
        if i > 0 {
            node = Node::new(span.clone(), Item::Table(Table::from([(name.clone(), node)])));
        }
    }
    Ok(path.first().map(|(name, _)| Table::from([(name.clone(), node)])).unwrap_or_default())
}

/// Whether a key takes strings, and no table.
fn wants_string_alone(names: &[&str], wants_string: bool) -> bool {
    wants_string && names != ["data", "labels"]
}

/// The error for a list or a table with a mistake, which begins at `offset` of `text`.
fn no_list_or_table(text: &str, value: &str, offset: usize, error: &toml::de::Error) -> Fault {
    // JSON is almost TOML.
    let json = serde_json::from_str(value).ok().and_then(|value: serde_json::Value| Node::from_json(&value));
    let end = value.trim().len();
    let span = error.span().unwrap_or(end..end);
    match json {
        Some(toml) => {
            Fault::new(offset..offset + end, "the value is JSON; expected TOML").help(format!("write {toml}"))
        }
        None => hint::syntax(text, offset + span.start..offset + span.end, error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(layers: &[Layer]) -> Vec<String> {
        layers.iter().map(|layer| Node::new(0..0, Item::Table(layer.root.clone())).to_string()).collect()
    }

    fn set(argument: &str) -> String {
        let (layers, problems) = from_arguments(&[argument.to_string()]);
        layers.first().map_or_else(|| problems[0].message.clone(), |_| shown(&layers)[0].clone())
    }

    #[test]
    fn arguments_are_toml_or_bare_strings() {
        assert_eq!(set("train.lr=2e-5"), "{ train = { lr = 2e-5 } }");
        assert_eq!(set("model.source=path:/x"), "{ model = { source = \"path:/x\" } }");
        assert_eq!(set("model.source=\"path:/x\""), "{ model = { source = \"path:/x\" } }");
        assert_eq!(set("model.source=path:/a=b"), "{ model = { source = \"path:/a=b\" } }");
        assert_eq!(set("name=2024"), "{ name = \"2024\" }");
        assert_eq!(set("train.freeze=[\"a\", \"b\"]"), "{ train = { freeze = [\"a\", \"b\"] } }");
        assert_eq!(set("train.class_weights=balanced"), "{ train = { class_weights = \"balanced\" } }");
        assert_eq!(set("train.class_weights=[1, 2]"), "{ train = { class_weights = [1, 2] } }");
        assert_eq!(set("data.labels.1=positive"), "{ data = { labels = { 1 = \"positive\" } } }");
        assert_eq!(set("data.labels.1=1"), "{ data = { labels = { 1 = \"1\" } } }");
        assert_eq!(set("data.labels={ a = \"b\" }"), "{ data = { labels = { a = \"b\" } } }");
        assert_eq!(set("sweep.axes.\"train.lr\"=[1]"), "{ sweep = { axes = { \"train.lr\" = [1] } } }");
        assert_eq!(set(" train.lr = 1 "), "{ train = { lr = 1 } }");
        // What begins as a list or a table is one, unless the key takes strings.
        assert_eq!(set("description=[x"), "{ description = \"[x\" }");
        assert_eq!(set("data.labels.1=[x"), "{ data = { labels = { 1 = \"[x\" } } }");
        for (argument, message, help) in [
            ("data.labels={味道=\"x\"}", "invalid TOML: invalid unquoted key", "write the key in quotes: \"味道\""),
            (
                "data.labels={a=\"x\", 配送=\"y\"}",
                "invalid TOML: invalid unquoted key",
                "write the key in quotes: \"配送\"",
            ),
            ("sweep.axes.\"train.lr\"=[1, x]", "`x` is not a value", "quotes"),
            (
                "data.labels={\"a b\": \"x\", \"c\": \"y\"}",
                "the value is JSON; expected TOML",
                "write { \"a b\" = \"x\", c = \"y\" }",
            ),
            ("train.freeze=[embeddings]", "`embeddings` is not a value", "write a string in quotes: \"embeddings\""),
            ("data.missing= [a, 1]", "`a` is not a value", "write a string in quotes: \"a\""),
            ("train.freeze=[\"a\"", "invalid TOML: unclosed array", ""),
        ] {
            let (layers, problems) = from_arguments(&[argument.to_string()]);
            assert!(layers.is_empty() && problems[0].message.contains(message), "{argument}: {problems:?}");
            assert!(problems[0].help.as_deref().unwrap_or_default().contains(help), "{argument}: {problems:?}");
        }
        assert_eq!(set("train.lr=1 2"), "{ train = { lr = \"1 2\" } }");
        assert_eq!(set("train.lr=1\nseed = 2"), "{ train = { lr = \"1\\nseed = 2\" } }");
        assert_eq!(set("description="), "{ description = \"\" }");
        assert_eq!(set("train.lr"), "`train.lr` has no `=`");
        assert_eq!(set("=3"), "`` cannot be the name of a key");
        assert_eq!(set("train..lr=3"), "`train..lr` cannot be the name of a key");
        assert_eq!(set("[train]\nlr=3"), "`[train]\nlr` cannot be the name of a key");
        for (argument, help) in [
            ("train.lr", "write --set train.lr=VALUE"),
            ("train.lr 1e-4", "write --set train.lr=1e-4"),
            ("train.lr:1e-4", "write --set train.lr=1e-4"),
            ("learning_rate", "write --set train.lr=VALUE"),
            ("xyz", "write --set KEY=VALUE, such as --set train.lr=1e-5"),
            ("=3", "write --set KEY=VALUE, such as --set train.lr=1e-5"),
        ] {
            let (_, problems) = from_arguments(&[argument.to_string()]);
            assert_eq!(problems[0].help.as_deref(), Some(help), "{argument}");
        }
    }

    #[test]
    fn only_variables_of_tables_and_the_two_top_keys_are_read() {
        let pairs = [
            ("TAPER_TRAIN__LR", "2e-5"),
            ("TAPER_RUNS", "x"),
            ("TAPER_NAME", "7"),
            ("taper_train__eps", "1"),
            ("PATH", "x"),
            ("TAPER_SWEEP__AXES__TRAIN__MAX_GRAD_NORM", "[0, 1]"),
            ("TAPER___LR", "1"),
        ];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (layers, problems) = from_environment(&pairs);
        assert_eq!(
            shown(&layers),
            [
                "{ name = \"7\" }",
                "{ sweep = { axes = { train = { max_grad_norm = [0, 1] } } } }",
                "{ train = { lr = 2e-5 } }"
            ]
        );
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("environment variable TAPER___LR: a part of the key is empty"));
    }
}
