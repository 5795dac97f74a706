//! Fills in the view: rows of the tables, and the sentences.

use super::{
    ClassRow, ConfusedRow, Pictures, ProbeRow, RunRow, View,
    answer::headline,
    caveats::{budget_is_spent, caveats, chooses_checkpoint},
    change, decided, mistakes,
    ranking::{comparison, ranking},
    scores, sorting, sweep, uses,
    warnings::warnings,
};
use crate::report::language::{self, Said, counted_states, stored_target, tr};
use crate::{
    event::{Split, When},
    metrics::{ClassMetrics, Metric, Metrics},
    report::{
        ReportError,
        analysis::Analysis,
        audit,
        cells::label_name,
        curves::MOST_TRIALS,
        environment, format,
        input::{ReportInput, RunInput, Settings},
        intervals::{self, second_text},
        long_texts,
        mistakes::mistakes_of,
        pictures::{MOST_LABELS, ProbePair, probe_pairs},
        rates,
        sentence::Sentence,
        sweep::Sweep,
        tables::names,
        trials::kept_at,
        unfinished,
    },
    store::{EvalRecord, ProbeRecord, RunState},
    task::Task,
};

/// That a page has no texts of rows.
fn texts_note(experiment: &str) -> String {
    tr!(
        "The texts of the data's rows were left out of this report: rows are named by file and line; `taper report {}` shows them.",
        "本报告不含数据各行的文本，各行以文件名和行号表示；`taper report {}` 显示文本。",
        crate::format::command::shell_word(experiment)
    )
}

impl View {
    /// The view of what is stored.
    pub fn new(
        input: &ReportInput,
        settings: &Settings,
        analysis: &Analysis,
        of_sweep: &Sweep,
        pictures: Pictures,
    ) -> Result<Self, ReportError> {
        let experiment = &input.experiment;
        let best = analysis.best().map(|i| &input.runs[i]);
        let shown = best.or(input.runs.first());
        let has_chosen = analysis.best().is_some() || analysis.groups.iter().any(|group| group.chosen.is_some());
        let chosen_heading = (has_chosen && !chosen_is_shown(shown, analysis)).then(|| {
            // A single run is not compared, and the weights of its last step are not chosen.
            let selects =
                input.experiment.runs.len().max(input.runs.len()) > 1 || input.runs.iter().any(chooses_checkpoint);
            let note = if selects { tr(" (used for selection)", "（用于选择）") } else { "" };
            format::measured_name(analysis.criterion.split, analysis.criterion.metric) + note
        });
        let terms = analysis.terms;
        let metric = analysis.criterion.metric;
        // The first two metrics have columns of their own.
        let on_test = ![terms.first, terms.second].contains(&metric)
            && input.runs.iter().any(|run| run.run.final_metrics.is_some() && run.run.config.data.has_test());
        let chosen_test_heading = on_test.then(|| tr!("Test {}", "测试集{}", metric.said()));
        // In a cross-validation all folds together.
        let result = analysis.shown(&input.runs);
        // As people use the model: with its decision, if it has one; single rows only where they are known so.
        let (predicted, of_rows) = (analysis.predicted(&input.runs), analysis.predicted_rows(&input.runs));
        let metrics = predicted.and_then(|run| run.run.final_metrics.as_ref());
        let mistakes = of_rows.map(mistakes_of).unwrap_or_default();
        let environments = environment::environments(&input.runs);
        let mut runs: Vec<RunRow> = (0..input.runs.len()).map(|i| run_row(input, analysis, i)).collect();
        add_exact(&mut runs, input, analysis);
        let measured = |metric: Metric| match shown {
            Some(run) => language::measured(run.measured_on(), metric),
            None => metric.said(),
        };
        let [first_heading, second_heading, loss_heading] =
            [terms.first, terms.second, Metric::Loss].map(|metric| format::capital(&measured(metric)));
        // With one label every result has an interval.
        let has_intervals = terms.is_single() || analysis.intervals.iter().any(|of| of[0].is_some());
        let intervals = result.map(|run| analysis.intervals_of(run)).unwrap_or_default();
        let mut view = Self {
            title: settings.title.clone().unwrap_or_else(|| experiment.name.clone()),
            description: experiment.description.clone(),
            experiment: experiment.name.clone(),
            states: states(&input.runs, analysis.missing.all, experiment.to_come),
            finished: last_finish(&input.runs),
            texts_note: input.leaves_texts_out.then(|| texts_note(&experiment.name)),
            headline: headline(input, analysis),
            caveats: caveats(input, analysis),
            ranking: ranking(
                input,
                (analysis, &of_sweep.axes),
                [&first_heading, &second_heading, &measured(terms.first)],
                [&chosen_heading, &chosen_test_heading],
            ),
            runs_folded: input.runs.len() > MOST_RUNS,
            runs_notes: runs_notes(input, analysis, &runs),
            runs,
            first: terms.first.said(),
            first_name: format::capital(&terms.first.said()),
            second: terms.second.said(),
            second_name: terms.second_name(),
            second_heading,
            loss_heading,
            best_first: [metric, terms.first, terms.second].map(sorting::best_first),
            first_heading,
            interval_heading: if has_intervals { tr(" (95% interval)", "（95% 区间）") } else { "" },
            chosen_heading,
            chosen_test_heading,
            data: audit::of_runs(&input.runs),
            long_texts: long_texts::of_runs(&input.runs),
            rates: rates::of_runs(&input.runs),
            warnings: warnings(&input.experiment.warnings, &input.runs, analysis.is_optimistic(&input.runs)),
            comparison: analysis.comparison.as_ref().map(|c| comparison(input, analysis, c)),
            uses: uses::uses(input, analysis),
            sweep: sweep::parts(input, analysis, of_sweep, pictures.sweep),
            training: pictures.training,
            outcome: pictures.outcome,
            change: result.and_then(|run| {
                let mut section = change::section(run, terms, settings.mistakes, pictures.change)?;
                if !section.classes.is_empty() {
                    section.sentences.extend(decided::without(analysis));
                }
                Some(section)
            }),
            probe_chart: pictures.probes,
            probes_after: shown.is_some_and(|run| probe_pairs(run).iter().any(|pair| pair.after.is_some())),
            probes_note: shown.map(|run| probes_note(run, input.runs.len() > 1)).unwrap_or_default(),
            probes: shown.map(probe_rows).unwrap_or_default(),
            details: pictures.details,
            details_of: match (&analysis.together, result) {
                (Some(_), _) => tr("all folds", "所有折").into(),
                (None, Some(run)) if input.runs.len() > 1 => tr!("run {}", "运行 {}", run.run.name),
                (None, _) => String::new(),
            },
            metrics_heads: scores::heads(terms.task, analysis.with_decision.is_some()),
            metrics: result
                .map(|run| scores::rows(run, &intervals, analysis.with_decision.as_ref()))
                .unwrap_or_default(),
            decision: decided::section(
                result,
                analysis.with_decision.as_ref(),
                &analysis.shown_runs().iter().map(|&i| &input.runs[i]).collect::<Vec<_>>(),
            ),
            classes: metrics.map(class_rows).unwrap_or_default(),
            classes_have_ap: terms.task == Task::MultiLabel,
            classes_note: classes_notes(metrics, analysis),
            confused: predicted.zip(metrics).map(|(run, metrics)| confused_rows(run, metrics)).unwrap_or_default(),
            mistakes_title: mistakes::title(terms.task),
            mistakes_note: mistakes::note(of_rows, terms.task, mistakes.len(), settings.mistakes)
                + &decided::of_mistakes(analysis),
            mistake_heads: mistakes::heads(terms.task),
            line_heading: result.map_or(tr("Line", "行号").into(), line_heading),
            mistakes: Vec::new(),
            digits_may_differ: environment::digits_may_differ(&input.runs),
            environments,
            commands: environment::commands(experiment, best.map(|run| run.run.key.as_str())),
            config_of: shown.map(|run| run.run.name.clone()).unwrap_or_default(),
            config: match shown {
                Some(run) => run.run.config.to_toml().map_err(ReportError::Config)?,
                None => String::new(),
            },
            spec_path: experiment.spec_path.clone(),
            spec: experiment.spec_text.clone(),
            extends: environment::extends(experiment),
            files: names(input).collect(),
        };
        if let Some(run) = of_rows {
            let listed = mistakes.into_iter().take(settings.mistakes);
            view.mistakes = listed.map(|p| mistakes::row(run, terms.task, p)).collect();
        }
        Ok(view)
    }

    /// The commands of [`Self::uses`], each below a comment.
    pub fn uses_text(&self) -> String {
        self.uses.iter().map(|(what, command)| format!("# {what}\n{command}")).collect::<Vec<_>>().join("\n")
    }

    /// How many runs there are.
    pub fn number_of_runs(&self) -> String {
        format::count(self.runs.len() as u64)
    }

    /// Columns of the table of runs.
    pub fn run_columns(&self) -> usize {
        7 + usize::from(self.chosen_heading.is_some()) + usize::from(self.chosen_test_heading.is_some())
    }
}

/// Marks a value of a run without a result: one of an evaluation during training.
pub const NOT_FINAL: &str = "not final";

/// Runs that the page shows at once; more are folded away.
const MOST_RUNS: usize = 12;

/// Whether the ranking metric is already shown in the column of the first metric, which is that of `run`.
fn chosen_is_shown(run: Option<&RunInput>, analysis: &Analysis) -> bool {
    analysis.criterion.metric == analysis.terms.first
        && run.is_some_and(|run| run.measured_on() == analysis.criterion.split)
}

fn line_heading(run: &RunInput) -> String {
    match run.run.config.data.files_of_splits().next() {
        None => tr("Line", "行号").into(),
        Some(_) => tr!("Line of {}", "{} 的行号", run.file_of_rows()),
    }
}

/// The runs in each state, counted as `taper run` and `taper list` do: with those that a search has yet to propose.
fn states(runs: &[RunInput], missing: usize, to_come: usize) -> String {
    // An experiment is stored with its runs: if there are none, they were removed.
    if runs.is_empty() {
        return tr("no runs: they were removed", "没有运行：它们已被删除").into();
    }
    let counts = counted_states(runs.iter().map(|r| r.run.state));
    let counts = if to_come > 0 {
        tr!("{counts}, {to_come} not yet proposed", "{counts}，{to_come} 次尚未提出")
    } else {
        counts
    };
    let all = format::plural(runs.len() + missing + to_come, "run");
    match missing {
        0 => tr!("{all}: {counts}", "{all}：{counts}"),
        n => {
            tr!("{} of {all}: {counts}; {n} without a record", "{all}中的 {} 次：{counts}；{n} 次没有记录", runs.len())
        }
    }
}

fn last_finish(runs: &[RunInput]) -> Option<String> {
    // An interrupted run has stopped, but not ended.
    let over = |r: &&RunInput| matches!(r.run.state, RunState::Completed | RunState::Pruned | RunState::Failed);
    let last = runs.iter().filter(over).filter_map(|r| r.run.finished_at).fold(f64::NEG_INFINITY, f64::max);
    last.is_finite().then(|| format::time(last))
}

fn run_row(input: &ReportInput, analysis: &Analysis, i: usize) -> RunRow {
    let run = &input.runs[i];
    let record = &run.run;
    let metrics = record.final_metrics.as_ref();
    let (terms, intervals) = (analysis.terms, &analysis.intervals[i]);
    let metric = analysis.criterion.metric;
    // The latest evaluation of a run that has not ended, marked as not final.
    let last_evaluation = |split| {
        let eval = kept_at(&record.config, &run.evals, split, metric).filter(|_| metrics.is_none())?;
        Some((&eval.metrics, tr!("at step {}, {NOT_FINAL}", "第 {} 步，非最终值", format::count(eval.step))))
    };
    let chosen = analysis.scores[i].map(|key| (metric.text(metric.value(key.score)), String::new()));
    let chosen =
        chosen.or_else(|| last_evaluation(analysis.criterion.split).map(|(m, at)| (metric.text(m.get(metric)), at)));
    let (chosen, chosen_at) = chosen.unwrap_or_else(|| (format::NOTHING.into(), String::new()));
    let interval = || intervals[0].map(|i| format::interval(terms.first, i)).unwrap_or_default();
    let first = metrics.map(|m| (terms.first.text(m.get(terms.first)), interval()));
    // Of a run with dev rows, evaluations during training say nothing of the test rows.
    let so_far = || {
        last_evaluation(run.measured_on()).filter(|_| run.measured_on() == Split::Dev || !record.config.data.has_dev())
    };
    let not_final = metrics.is_none()
        && (analysis.scores[i].is_none() && last_evaluation(analysis.criterion.split).is_some() || so_far().is_some());
    let first = first.or_else(|| so_far().map(|(m, at)| (terms.first.text(m.get(terms.first)), at)));
    let (first, interval) = first.unwrap_or_else(|| (format::NOTHING.into(), String::new()));
    RunRow {
        name: record.name.clone(),
        key: format::short(&record.key).to_string(),
        badge: badge(analysis, i),
        state: record.said(),
        state_class: record.state.word(),
        steps: match record.steps == record.total_steps {
            true => format::count(record.steps),
            false => tr!("{} of {}", "{}/{}", format::count(record.steps), format::count(record.total_steps)),
        },
        kept: kept_weights(&run.evals).filter(|step| *step != record.steps).map(format::count),
        first,
        interval,
        chosen,
        chosen_at,
        chosen_test: match metrics.filter(|_| record.config.data.has_test()) {
            Some(metrics) => metric.text(metrics.get(metric)),
            None => format::NOTHING.into(),
        },
        not_final,
        exact: Default::default(),
        second: metrics.map_or(format::NOTHING.into(), |m| second_text(terms, m, intervals)),
        loss: match (metrics, record.last_loss) {
            (Some(m), _) => format::loss(m.get(Metric::Loss)),
            (None, Some(loss)) => tr!("{} (training)", "{}（训练）", format::loss(loss)),
            (None, None) => format::NOTHING.into(),
        },
        time: run.seconds().map_or(format::NOTHING.into(), format::duration),
        message: message(run, budget_is_spent(input)),
    }
}

/// Adds the exact values of cells that look alike.
fn add_exact(rows: &mut [RunRow], input: &ReportInput, analysis: &Analysis) {
    let of_run = |i: usize, metric: Metric| Some(input.runs[i].run.final_metrics.as_ref()?.get(metric));
    let chosen = |i: usize| Some(analysis.criterion.metric.value(analysis.scores[i]?.score));
    let (first, ranks, second) = (analysis.terms.first, analysis.criterion.metric, analysis.terms.second);
    let columns: [Vec<String>; 4] = {
        let column = |metric: Metric, text: &dyn Fn(&RunRow) -> &str, value: &dyn Fn(usize) -> Option<f64>| {
            let cells = rows.iter().enumerate().map(|(i, row)| (text(row), value(i)));
            sorting::exact(metric, &cells.collect::<Vec<_>>())
        };
        [
            column(first, &|row| &row.first, &|i| of_run(i, first)),
            column(ranks, &|row| &row.chosen, &chosen),
            column(ranks, &|row| &row.chosen_test, &|i| of_run(i, ranks)),
            column(second, &|row| &row.second, &|i| of_run(i, second)),
        ]
    };
    for (at, column) in columns.into_iter().enumerate() {
        rows.iter_mut().zip(column).for_each(|(row, exact)| row.exact[at] = exact);
    }
}

/// The mark of the run that the page shows. Of folds none is the best, because each is tested on other rows.
fn badge(analysis: &Analysis, run: usize) -> Option<&'static str> {
    let marked = analysis.best() == Some(run) && analysis.ranked.len() > 1 && !analysis.has_folds();
    marked.then_some(match analysis.groups[analysis.group_of(run)].planned > 1 {
        true => tr("best of its trial", "本试验最佳"),
        false => analysis.progress.mark(),
    })
}

/// Explains the table of runs: each sentence only where it applies.
fn runs_notes(input: &ReportInput, analysis: &Analysis, rows: &[RunRow]) -> Vec<String> {
    let terms = analysis.terms;
    let any = |state: &dyn Fn(&RunInput) -> bool| input.runs.iter().any(state);
    let mut notes = Vec::new();
    let has_result = any(&|run| run.run.final_metrics.is_some());
    match terms.is_single() {
        true if has_result => {
            notes.push(
                tr(
                    "The interval of an accuracy is Wilson's 95% interval over its rows.",
                    "准确率的区间是按行数计算的 95% 威尔逊（Wilson）区间。",
                )
                .to_string(),
            );
        }
        false if analysis.intervals.iter().any(|of| of[0].is_some()) => {
            notes.push(tr!(
                "Intervals are 95% intervals over the rows, by {}.",
                "区间是由各行得出的 95% 区间，方法为{}。",
                intervals::explained()
            ));
        }
        _ => {}
    }
    if any(&intervals::is_too_long) {
        let most = format::count(intervals::MOST_ROWS as u64);
        notes.push(tr!(
            "Runs with more than {most} rows have no interval: resampling them takes too long.",
            "超过 {most} 行的运行没有区间：重抽样耗时太长。"
        ));
    }
    let unread = |run: &RunInput| run.predictions.is_empty() && run.run.final_metrics.is_some();
    if !terms.is_single() && analysis.groups.len() > MOST_TRIALS && any(&unread) {
        notes.push(tr!(
            "Runs of trials that rank behind the first {MOST_TRIALS} have no interval: their predictions are not read.",
            "排名在前 {MOST_TRIALS} 名之后的试验，其运行没有区间：不读取它们的预测。"
        ));
    }
    if rows.iter().any(|row| row.not_final) {
        notes.push(tr!(
            "“{}”: from an evaluation during training, because the run has no final one: {}.",
            format::capital(NOT_FINAL), unfinished::of_report(input)
        ; "“{}”：来自训练期间的一次评估，因为该运行没有最终评估：{}。", tr(NOT_FINAL, "非最终值"), unfinished::of_report(input)));
    }
    if any(&|run| kept_weights(&run.evals).is_some_and(|step| step != run.run.steps)) {
        notes.push(
            tr("“Kept”: the step whose weights the run keeps and is measured with. Of evaluations with the same best value the first is kept, \
             whatever its loss is.", "“保留”：该运行保留并用来评测的权重所在的步。若几次评估的最好值相同，保留最早的一次，不看损失。")
                .into(),
        );
    }
    notes.extend(terms.definitions().into_iter().map(String::from));
    notes.push(terms.loss().into());
    if any(&|run| run.run.final_metrics.is_none() && run.run.last_loss.is_some()) {
        notes.push(tr("“Training”: the loss of the last training step.", "“训练”：最后一个训练步的损失。").into());
    }
    notes.push(
        tr(
            "Time: training only, without evaluations; steps that were trained again after a crash count once.",
            "时间：只计训练，不含评估；崩溃后重新训练的步只算一次。",
        )
        .into(),
    );
    notes
}

/// The step that a run's final weights are of.
fn kept_weights(evals: &[EvalRecord]) -> Option<u64> {
    evals.iter().find(|eval| eval.when == When::After).map(|eval| eval.step)
}

/// Why a run has no result: its message, if it has one.
fn message(run: &RunInput, budget_is_spent: bool) -> Option<Sentence> {
    if budget_is_spent && matches!(run.run.state, RunState::Pending | RunState::Waiting | RunState::Interrupted) {
        return Some(tr("the sweep's budget is spent", "参数搜索的预算已用完").into());
    }
    // The section of the sweep says it once for all runs of a trial.
    if run.run.state == RunState::Pruned {
        return None;
    }
    if let Some(own) = run.run.message.clone().filter(|m| !m.trim().is_empty()) {
        return Some(Sentence::stored(own));
    }
    match run.run.state {
        RunState::Completed if run.run.final_metrics.is_none() => {
            Some(tr("completed, but no evaluation is stored", "已完成，但没有存储评估结果").into())
        }
        RunState::Failed => Some(Sentence::about("", None, "")),
        RunState::Interrupted => Some(match run.run.checkpoint_step {
            Some(step) if step == run.run.total_steps => {
                tr("“taper run” evaluates it: all its steps are trained", "“taper run”会评估它：所有步都已训练完")
                    .into()
            }
            Some(step) => {
                tr!("“taper run” resumes it from step {}", "“taper run”会从第 {} 步继续", format::count(step)).into()
            }
            None => tr("“taper run” starts it again", "“taper run”会从头训练它").into(),
        }),
        RunState::Completed => run.run.early_stop().map(Sentence::stored),
        RunState::Pruned | RunState::Pending | RunState::Running | RunState::Waiting => None,
    }
}

/// Of which run the probes are, and whether they were scored after training.
fn probes_note(run: &RunInput, of_several: bool) -> String {
    let of = if of_several { tr!(", of run {}", "（运行 {}）", run.run.name) } else { String::new() };
    let pairs = probe_pairs(run);
    match (pairs.iter().any(|pair| pair.before.is_some()), pairs.iter().any(|pair| pair.after.is_some())) {
        (true, true) => tr!("Before and after training{of}.", "训练前后的结果{of}。"),
        (false, true) => tr!("After training{of}.", "训练后的结果{of}。"),
        (_, false) if run.run.state == RunState::Completed => {
            tr!(
                "Before training only{of}. No score after training is stored.",
                "只有训练前的结果{of}。没有存储训练后的得分。"
            )
        }
        (_, false) => {
            let is = if run.run.state == RunState::Failed { "" } else { "is " };
            tr!(
                "Before training only{of}. There is no score after training, because the run {is}{}.",
                "只有训练前的结果{of}。没有训练后的得分，因为该运行的状态是“{}”。",
                run.run.said()
            )
        }
    }
}

fn probe_rows(run: &RunInput) -> Vec<ProbeRow> {
    let task = run.run.config.data.task();
    let said = |record: Option<&ProbeRecord>| {
        record.map_or(format::NOTHING.into(), |r| {
            let id = run.run.labels.iter().position(|l| *l == r.score.predicted);
            let p = id.and_then(|id| r.score.probabilities.get(id as u32));
            let p = p.map_or(String::new(), |p| format!(" {}", format::percent(f64::from(p))));
            let verdict = match r.score.is_right() {
                Some(true) => tr(", right", "，正确"),
                Some(false) => tr(", wrong", "，错误"),
                None => "",
            };
            format!("{}{p}{verdict}", stored_target(&r.score.predicted, task))
        })
    };
    let row = |pair: ProbePair<'_>| {
        let score = &pair.after.or(pair.before)?.score;
        let right = |r: &ProbeRecord| r.score.is_right();
        Some(ProbeRow {
            number: pair.number,
            text: format::texts(&score.text, score.text_pair.as_deref()).into_owned(),
            expected: score.expect.as_deref().map_or(format::NOTHING, |expected| stored_target(expected, task)).into(),
            before: said(pair.before),
            after: said(pair.after),
            right: pair.after.and_then(right),
        })
    };
    probe_pairs(run).into_iter().filter_map(row).collect()
}

/// Classes and pairs listed where there are more than [`MOST_LABELS`] labels.
const MOST_LISTED: usize = 20;

/// All classes, or with many, the worst: among classes with rows, by F1 and then by number of rows.
fn class_rows(metrics: &Metrics) -> Vec<ClassRow> {
    let mut listed: Vec<(usize, &ClassMetrics)> = metrics.per_class.iter().enumerate().collect();
    if listed.len() > MOST_LABELS {
        listed.retain(|(_, c)| c.support > 0);
        listed.sort_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1).then(b.support.cmp(&a.support)));
        listed.truncate(MOST_LISTED);
    }
    // Earlier versions, and rows with one label, have an F1 of 0 for a label that does not occur.
    let f1 = |c: &ClassMetrics| if c.support == 0 && c.predicted == Some(0) { f64::NAN } else { c.f1 };
    let row = |(id, c): (usize, &ClassMetrics)| ClassRow {
        id,
        label: c.label.clone(),
        precision: format::percent(c.precision),
        recall: format::percent(c.recall),
        f1: format::percent(f1(c)),
        average_precision: c.average_precision.map_or(format::NOTHING.into(), format::percent),
        support: format::count(c.support),
    };
    listed.into_iter().map(row).collect()
}

/// What is said below the classes.
fn classes_notes(metrics: Option<&Metrics>, analysis: &Analysis) -> Option<String> {
    let all: Vec<String> = metrics.and_then(classes_note).into_iter().chain(decided::of_classes(analysis)).collect();
    (metrics.is_some_and(|metrics| !metrics.per_class.is_empty()) && !all.is_empty()).then(|| all.join(" "))
}

fn classes_note(metrics: &Metrics) -> Option<String> {
    let all = metrics.per_class.len();
    let with_rows = metrics.per_class.iter().filter(|c| c.support > 0).count();
    (all > MOST_LABELS).then(|| {
        tr!(
            "The {} classes with the lowest F1, of {} that have rows and {} in all; the other {} are left out. \
             {} have all.",
            "F1 最低的 {} 个类别；有数据行的类别 {} 个，全部 {} 个，其余 {} 个未列出。{} 有全部类别。",
            with_rows.min(MOST_LISTED),
            format::count(with_rows as u64),
            format::count(all as u64),
            format::count((all - with_rows.min(MOST_LISTED)) as u64),
            if metrics.co_occurrence.is_some() {
                tr("classes.csv and co_occurrence.csv", "classes.csv 和 co_occurrence.csv")
            } else {
                tr("classes.csv and confusion.csv", "classes.csv 和 confusion.csv")
            },
        )
    })
}

/// The most frequent confusions; empty if a chart shows all of them.
fn confused_rows(run: &RunInput, metrics: &Metrics) -> Vec<ConfusedRow> {
    if metrics.per_class.len() <= MOST_LABELS || metrics.confusion.rows() == 0 {
        return Vec::new();
    }
    let supports = metrics.confusion.supports();
    let mut pairs: Vec<(u32, u32, u64)> =
        metrics.confusion.cells().filter(|(label, predicted, _)| label != predicted).collect();
    pairs.sort_by_key(|&(label, predicted, rows)| (std::cmp::Reverse(rows), label, predicted));
    let row = |(label, predicted, rows): (u32, u32, u64)| ConfusedRow {
        label: label_name(run, label),
        predicted: label_name(run, predicted),
        rows: format::count(rows),
        share: format::percent(rows as f64 / supports.get(label as usize).copied().unwrap_or(0).max(1) as f64),
    };
    pairs.into_iter().take(MOST_LISTED).map(row).collect()
}
