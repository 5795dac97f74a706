//! Related keys, for `--explain`: pairs of keys with a sentence about both.

/// Pairs of keys, and how they are related.
#[rustfmt::skip]
const PAIRS: &[(&str, &str, &str)] = &[
    ("train.epochs", "train.max_steps", "train.max_steps, if set, decides the number of steps, and train.epochs has no effect"),
    ("train.epochs", "train.early_stopping_patience", "early stopping may end training before the last epoch"),
    ("train.max_steps", "train.early_stopping_patience", "early stopping may end training before train.max_steps"),
    ("train.batch_size", "train.gradient_accumulation_steps", "a step has batch_size × gradient_accumulation_steps rows"),
    ("train.batch_size", "train.micro_batch_tokens", "a batch of more tokens than micro_batch_tokens is computed in parts; the step is the same"),
    ("train.lr", "train.scheduler", "train.scheduler sets how the rate changes from train.lr after the warmup"),
    ("train.lr", "train.warmup_steps", "above 0, it is the number of steps in which the rate rises from 0 to train.lr"),
    ("train.lr", "train.warmup_ratio", "above 0, it is the share of all steps in which the rate rises from 0 to train.lr"),
    ("train.lr", "train.head_lr", "train.head_lr, if set, is the head's peak rate instead of train.lr"),
    ("train.lr", "train.layer_lr_decay", "the layers' rates are train.lr times powers of train.layer_lr_decay"),
    ("train.head_lr", "train.layer_lr_decay", "train.layer_lr_decay is for the encoder: it does not change train.head_lr"),
    ("train.layer_lr_decay", "train.freeze", "frozen layers have no rate, but count as layers of train.layer_lr_decay"),
    ("train.weight_decay", "train.layer_lr_decay", "each step shrinks every weight by its layer's own rate × weight_decay"),
    ("train.warmup_steps", "train.warmup_ratio", "two ways to set the warmup: set only one of them"),
    ("train.scheduler", "train.max_steps", "the decay ends at the last step"),
    ("train.weight_decay", "train.no_decay", "parameters in train.no_decay have no weight decay"),
    ("train.weight_decay", "train.lr", "each step shrinks every weight by lr × weight_decay of its value"),
    ("train.seed", "train.init_seed", "train.init_seed is train.seed unless it is set"),
    ("train.seed", "train.order_seed", "train.order_seed is train.seed unless it is set"),
    ("train.seed", "sweep.seeds", "sweep.seeds, if set, varies train.seed"),
    ("train.eval_steps", "train.epochs", "with train.eval_steps = 0 there is an evaluation after each epoch"),
    ("train.eval_steps", "train.early_stopping_patience", "patience counts evaluations, of which there is one every train.eval_steps steps"),
    ("train.eval_steps", "sweep.prune", "trials are compared by their evaluations during training"),
    ("train.early_stopping_patience", "train.early_stopping_min_delta", "min_delta says what counts as an improvement"),
    ("train.early_stopping_patience", "data.dev", "early stopping needs a dev split"),
    ("train.early_stopping_patience", "checkpoint.metric", "improvement is measured by checkpoint.metric on the dev split"),
    ("checkpoint.keep", "checkpoint.metric", "with keep = \"best\", checkpoint.metric says which evaluation is the best"),
    ("checkpoint.keep", "data.dev", "keep = \"best\" needs a dev split"),
    ("checkpoint.every_steps", "checkpoint.every_minutes", "a checkpoint is saved when either is due"),
    ("data.limit", "data.seed", "data.seed is the seed for drawing the rows of data.limit and the random splits"),
    ("data.max_length", "data.long", "data.long says how to handle texts of more than data.max_length tokens"),
    ("data.long", "data.stride", "data.stride is the overlap of the windows of data.long = \"windows\""),
    ("data.long", "data.head_tokens", "data.head_tokens is the part of the beginning that data.long = \"head_tail\" keeps"),
    ("data.max_length", "data.stride", "data.stride is a quarter of data.max_length unless it is set"),
    ("data.max_length", "data.head_tokens", "data.head_tokens is a quarter of data.max_length unless it is set"),
    ("data.test", "data.dev", "rows of data.source that are in neither split are trained on"),
    ("data.test", "data.splits", "data.splits.test, if set, names the test rows instead of data.test"),
    ("data.dev", "data.splits", "data.splits.dev, if set, names the dev rows instead of data.dev"),
    ("data.split_column", "data.splits", "with data.split_column, data.splits are its values; without it, they are names of splits"),
    ("data.source", "data.splits", "if the source is a repository or a folder with several splits, data.splits names those to use"),
    ("data.splits", "data.config", "data.config chooses the configuration whose splits data.splits names"),
    ("data.stratify", "data.seed", "data.seed is the seed of the splits that have neither a file nor a value in \
                                    data.splits"),
    ("data.format", "data.delimiter", "data.delimiter is for CSV and TSV files"),
    ("data.format", "data.encoding", "data.encoding is for text files: CSV, TSV and JSON"),
    ("data.format", "data.sheet", "data.sheet is for Excel workbooks"),
    ("sweep.prune", "sweep.rungs", "with prune = \"asha\", sweep.rungs is the number of rungs before the end"),
    ("sweep.prune", "sweep.reduction_factor", "with prune = \"asha\", one in reduction_factor trials is promoted at each rung"),
    ("sweep.prune", "sweep.startup_trials", "with prune = \"median\", the first startup_trials trials are trained to the end"),
    ("sweep.prune", "checkpoint.metric", "trials are compared by checkpoint.metric on the dev split"),
    ("sweep.rungs", "sweep.reduction_factor", "the step of each rung is 1/reduction_factor of that of the next one"),
    ("sweep.rungs", "train.eval_steps", "a rung falls on an evaluation"),
    ("sweep.search", "sweep.trials", "a search other than a grid draws sweep.trials points"),
    ("sweep.search", "sweep.batch", "search = \"tpe\" proposes sweep.batch trials at a time"),
    ("sweep.search", "sweep.startup_trials", "search = \"tpe\" draws the first startup_trials trials at random"),
    ("sweep.trials", "sweep.max_runs", "sweep.max_runs bounds the runs of all trials and seeds together"),
    ("sweep.trials", "sweep.seeds", "each point is trained with every seed"),
    ("sweep.max_runs", "sweep.max_hours", "the sweep ends with whichever is spent first"),
];

/// The keys related to `key`, and how.
pub(super) fn of(key: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    PAIRS.iter().filter_map(move |&(a, b, how)| match key {
        _ if key == a => Some((b, how)),
        _ if key == b => Some((a, how)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::keys, *};

    #[test]
    fn pairs_name_existing_keys_and_are_symmetric() {
        for (a, b, how) in PAIRS {
            assert!(keys::find(a).is_some() && keys::find(b).is_some() && a != b, "{a}, {b}");
            assert!(of(a).any(|(key, said)| key == *b && said == *how) && of(b).any(|(key, _)| key == *a), "{a}, {b}");
            assert_eq!(of(a).filter(|(_, said)| said == how).count(), 1, "{a}: two keys have one sentence: {how}");
            assert_eq!(PAIRS.iter().filter(|(x, y, _)| (x, y) == (a, b) || (y, x) == (a, b)).count(), 1, "{a}, {b}");
        }
    }
}
