//! The worker's connection to the command.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::mpsc::Receiver,
};

use super::protocol::{Order, Report, send};
use crate::event::Event;

/// The connection to the command.
pub(super) struct Line {
    output: RefCell<Box<dyn Write>>,
    orders: Receiver<Order>,
}

impl Line {
    pub fn new(output: impl Write + 'static, orders: Receiver<Order>) -> Self {
        Self { output: RefCell::new(Box::new(output)), orders }
    }

    /// Reports.
    pub fn say(&self, report: &Report) -> io::Result<()> {
        send(&mut *self.output.borrow_mut(), report)
    }

    /// The next order.
    pub fn next(&self) -> io::Result<Order> {
        self.orders.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Reports, and waits until it is on disk.
    pub fn record(&self, report: &Report) -> io::Result<()> {
        self.say(report)?;
        match self.next()? {
            Order::Recorded => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Reports an event, and waits where that is called for.
    pub fn event(&self, event: Event) -> io::Result<()> {
        match event.is_awaited() {
            true => self.record(&Report::Happened(event)),
            false => self.say(&Report::Happened(event)),
        }
    }

    /// Asks whether the run goes on after this step.
    pub fn may_go_on(&self, step: u64) -> io::Result<bool> {
        self.say(&Report::MayGoOn(step))?;
        match self.next()? {
            Order::GoOn(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(order: &Order) -> io::Error {
    io::Error::other(format!("an order out of turn: {order:?}"))
}
