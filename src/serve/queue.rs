//! The texts that wait for a model: bounded, handed out in batches by tokens. Knows neither HTTP nor models.
//!
//! Requests are served in turn. A request whose texts do not fit into one batch goes to the end after each of its batches, so that it does not hold
//! up small ones.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Requests.
    pub requests: usize,
    /// Tokens of their texts.
    pub tokens: usize,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Requests.
    pub requests: usize,
    /// Tokens of their texts.
    pub tokens: usize,
}

/// A text with what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<T> {
    /// What a worker needs of it.
    pub value: T,
    /// Its tokens.
    pub tokens: usize,
}

/// The answers to the texts of a request, in their order; or why there are none. An error of the channel: nobody answers any more.
pub type Answers<A> = oneshot::Receiver<Result<Vec<A>, String>>;

/// Why texts were not taken, with the texts where they can be of use.
#[derive(Debug)]
pub enum Refused<T> {
    /// Too much waits already.
    Full(Load),
    /// They alone are more than may wait.
    TooLarge {
        /// Their tokens.
        tokens: usize,
    },
    /// No more are taken.
    Closed(Vec<Text<T>>),
}

/// Texts of requests, for one worker.
pub struct Queue<T, A> {
    state: Mutex<State<T, A>>,
    changed: Condvar,
    bounds: Bounds,
}

struct State<T, A> {
    waiting: VecDeque<Waiting<T, A>>,
    tokens: usize,
    closed: bool,
}

/// What is left of a request.
struct Waiting<T, A> {
    texts: VecDeque<(usize, Text<T>)>,
    request: Arc<Request<A>>,
}

struct Request<A>(Mutex<Progress<A>>);

struct Progress<A> {
    answers: Vec<Option<A>>,
    missing: usize,
    /// Gone once it was used.
    done: Option<oneshot::Sender<Result<Vec<A>, String>>>,
}

/// Where the answer to a text goes.
pub struct Slot<A> {
    request: Arc<Request<A>>,
    index: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while it held the lock left nothing half done: every change is a few assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T, A> Queue<T, A> {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        let state = State { waiting: VecDeque::new(), tokens: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), bounds }
    }

    /// Adds the texts of a request.
    ///
    /// # Errors
    /// If the queue is full or closed.
    ///
    /// # Panics
    /// Panics without texts.
    pub fn push(&self, texts: Vec<Text<T>>) -> Result<Answers<A>, Refused<T>> {
        assert!(!texts.is_empty(), "a request without texts");
        let tokens: usize = texts.iter().map(|text| text.tokens).sum();
        let mut state = locked(&self.state);
        if state.closed {
            return Err(Refused::Closed(texts));
        }
        if tokens > self.bounds.tokens {
            return Err(Refused::TooLarge { tokens });
        }
        if state.waiting.len() >= self.bounds.requests || state.tokens + tokens > self.bounds.tokens {
            // Who has gone must not keep others out.
            state.forget_abandoned();
            if state.waiting.len() >= self.bounds.requests || state.tokens + tokens > self.bounds.tokens {
                return Err(Refused::Full(state.load()));
            }
        }
        let (done, answers) = oneshot::channel();
        let progress =
            Progress { answers: texts.iter().map(|_| None).collect(), missing: texts.len(), done: Some(done) };
        state.tokens += tokens;
        let texts = texts.into_iter().enumerate().collect();
        state.waiting.push_back(Waiting { texts, request: Arc::new(Request(Mutex::new(progress))) });
        self.changed.notify_one();
        Ok(answers)
    }

    /// Waits for texts and returns those of the next batch: as many as have at most so many tokens together, but at least one. `None` if
    /// the queue is closed and empty.
    pub fn take(&self, most: usize) -> Option<Vec<(T, Slot<A>)>> {
        let mut state = locked(&self.state);
        loop {
            let batch = state.take(most);
            if !batch.is_empty() {
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on no texts are taken; those that wait are still handed out.
    pub fn close(&self) {
        locked(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// Closes the queue and drops the requests in it: each waiting caller receives an error.
    pub fn abandon(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        state.waiting.clear();
        state.tokens = 0;
        self.changed.notify_all();
    }

    /// What waits.
    pub fn load(&self) -> Load {
        locked(&self.state).load()
    }
}

impl<T, A> State<T, A> {
    fn load(&self) -> Load {
        Load { requests: self.waiting.len(), tokens: self.tokens }
    }

    fn forget_abandoned(&mut self) {
        self.waiting.retain(|waiting| !waiting.request.is_abandoned());
        self.tokens = self.waiting.iter().flat_map(|waiting| &waiting.texts).map(|(_, text)| text.tokens).sum();
    }

    fn take(&mut self, most: usize) -> Vec<(T, Slot<A>)> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        while let Some(mut first) = self.waiting.pop_front() {
            if first.request.is_abandoned() {
                self.tokens -= first.texts.iter().map(|(_, text)| text.tokens).sum::<usize>();
                continue;
            }
            let before = batch.len();
            while let Some((index, text)) = match first.texts.front() {
                Some((_, next)) if batch.is_empty() || tokens + next.tokens <= most => first.texts.pop_front(),
                _ => None,
            } {
                tokens += text.tokens;
                self.tokens -= text.tokens;
                batch.push((text.value, Slot { request: first.request.clone(), index }));
            }
            if first.texts.is_empty() {
                continue;
            }
            match batch.len() > before {
                true => self.waiting.push_back(first),
                false => self.waiting.push_front(first),
            }
            break;
        }
        batch
    }
}

impl<A> Request<A> {
    /// Whether nobody waits for the answers any more.
    fn is_abandoned(&self) -> bool {
        locked(&self.0).done.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

impl<A> Slot<A> {
    /// Gives the answer to the text; the last one of a request is sent with all others.
    pub fn answer(self, answer: A) {
        let mut progress = locked(&self.request.0);
        if progress.answers[self.index].replace(answer).is_none() {
            progress.missing -= 1;
        }
        if progress.missing == 0
            && let Some(done) = progress.done.take()
        {
            let answers = std::mem::take(&mut progress.answers);
            // Nobody may wait for it any more.
            let _ = done.send(Ok(answers.into_iter().flatten().collect()));
        }
    }

    /// Says that there will be no answer to the request, and why.
    pub fn fail(self, why: &str) {
        if let Some(done) = locked(&self.request.0).done.take() {
            let _ = done.send(Err(why.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread, time::Duration};

    use super::*;

    fn texts(tokens: &[usize]) -> Vec<Text<usize>> {
        tokens.iter().map(|&tokens| Text { value: tokens, tokens }).collect()
    }

    fn queue(requests: usize, tokens: usize) -> Queue<usize, usize> {
        Queue::new(Bounds { requests, tokens })
    }

    /// Takes a batch, answers each text with its own value, and returns these.
    fn work(queue: &Queue<usize, usize>, most: usize) -> Vec<usize> {
        let batch = queue.take(most).expect("a batch");
        batch
            .into_iter()
            .map(|(value, slot)| {
                slot.answer(value);
                value
            })
            .collect()
    }

    #[test]
    fn texts_of_several_requests_are_one_batch_and_each_gets_its_answers_in_order() {
        let queue = queue(8, 100);
        let mut first = queue.push(texts(&[3, 5])).unwrap();
        let mut second = queue.push(texts(&[4])).unwrap();
        assert_eq!(queue.load(), Load { requests: 2, tokens: 12 });
        let batch = queue.take(12).expect("a batch");
        assert_eq!(batch.iter().map(|(value, _)| *value).collect::<Vec<_>>(), [3, 5, 4]);
        // Answered backwards.
        for (value, slot) in batch.into_iter().rev() {
            assert!(first.try_recv().is_err());
            slot.answer(10 * value);
        }
        assert_eq!(first.try_recv().unwrap(), Ok(vec![30, 50]));
        assert_eq!(second.try_recv().unwrap(), Ok(vec![40]));
        assert_eq!(queue.load(), Load::default());
    }

    #[test]
    fn a_batch_has_at_most_so_many_tokens_but_one_text() {
        let queue = queue(8, 100);
        let _answers = [queue.push(texts(&[50])).unwrap(), queue.push(texts(&[6, 5])).unwrap()];
        assert_eq!(work(&queue, 10), [50], "longer than a batch, and alone");
        assert_eq!(work(&queue, 10), [6]);
        assert_eq!(work(&queue, 10), [5]);
    }

    /// Of a request of many texts a batch is taken, then it is the others' turn.
    #[test]
    fn a_large_request_does_not_hold_up_a_small_one() {
        let queue = queue(8, 100);
        let mut large = queue.push(texts(&[10; 5])).unwrap();
        let mut small = queue.push(texts(&[7])).unwrap();
        assert_eq!(work(&queue, 20), [10, 10]);
        assert_eq!(work(&queue, 20), [7, 10]);
        assert_eq!(small.try_recv().unwrap(), Ok(vec![7]));
        assert!(large.try_recv().is_err());
        assert_eq!(work(&queue, 20), [10, 10]);
        assert_eq!(large.try_recv().unwrap(), Ok(vec![10; 5]));
    }

    /// A text that does not fit stays first, whatever is behind it.
    #[test]
    fn no_text_is_overtaken_for_ever() {
        let queue = queue(8, 100);
        let _answers = [[8].as_slice(), &[9], &[1]].map(|tokens| queue.push(texts(tokens)).unwrap());
        assert_eq!([work(&queue, 10), work(&queue, 10)], [vec![8], vec![9, 1]]);
    }

    #[test]
    fn a_full_queue_refuses_by_requests_and_by_tokens() {
        let queue = queue(2, 20);
        assert!(matches!(queue.push(texts(&[11, 10])), Err(Refused::TooLarge { tokens: 21 })));
        let first = queue.push(texts(&[15])).unwrap();
        assert!(matches!(queue.push(texts(&[6])), Err(Refused::Full(Load { requests: 1, tokens: 15 }))));
        let _second = queue.push(texts(&[5])).unwrap();
        assert!(matches!(queue.push(texts(&[0])), Err(Refused::Full(Load { requests: 2, tokens: 20 }))));
        // Who has gone makes room.
        drop(first);
        let _third = queue.push(texts(&[15])).unwrap();
        assert_eq!(queue.load(), Load { requests: 2, tokens: 20 });
    }

    #[test]
    fn texts_of_who_has_gone_are_not_computed() {
        let queue = queue(8, 100);
        drop(queue.push(texts(&[1, 2])).unwrap());
        let _answers = queue.push(texts(&[3])).unwrap();
        assert_eq!(work(&queue, 100), [3]);
        assert_eq!(queue.load(), Load::default());
    }

    #[test]
    fn a_closed_queue_hands_out_what_waits_and_takes_nothing() {
        let queue = queue(8, 100);
        let mut answers = queue.push(texts(&[1])).unwrap();
        queue.close();
        assert!(matches!(queue.push(texts(&[2])), Err(Refused::Closed(back)) if back == texts(&[2])));
        assert_eq!(work(&queue, 10), [1]);
        assert_eq!(answers.try_recv().unwrap(), Ok(vec![1]));
        assert!(queue.take(10).is_none());
    }

    #[test]
    fn who_waits_in_an_abandoned_queue_is_told() {
        let queue = queue(8, 100);
        let answers = queue.push(texts(&[1])).unwrap();
        queue.abandon();
        assert!(answers.blocking_recv().is_err());
        assert!(queue.take(10).is_none() && queue.load() == Load::default());
    }

    #[test]
    fn a_failed_text_fails_its_request_once() {
        let queue = queue(8, 100);
        let mut answers = queue.push(texts(&[1, 2])).unwrap();
        for (_, slot) in queue.take(10).expect("a batch") {
            slot.fail("no");
        }
        assert_eq!(answers.try_recv().unwrap(), Err("no".into()));
    }

    #[test]
    fn a_worker_waits_for_texts() {
        let queue = Arc::new(queue(8, 100));
        let worker = thread::spawn({
            let queue = queue.clone();
            move || std::iter::from_fn(|| queue.take(10).map(|batch| batch.len())).sum::<usize>()
        });
        let mut kept = Vec::new();
        for _ in 0..20 {
            kept.push(loop {
                match queue.push(texts(&[4])) {
                    Ok(answers) => break answers,
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            });
        }
        queue.close();
        assert_eq!(worker.join().unwrap(), 20);
    }
}
