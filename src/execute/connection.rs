//! The worker's connection to the command.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::mpsc::Receiver,
};

use super::protocol::{Order, Report, send};
use crate::event::Event;

/// The connection to the command.
pub(super) struct Connection {
    output: RefCell<Box<dyn Write>>,
    orders: Receiver<Order>,
}

impl Connection {
    pub fn new(output: impl Write + 'static, orders: Receiver<Order>) -> Self {
        Self { output: RefCell::new(Box::new(output)), orders }
    }

    /// Sends a report.
    pub fn report(&self, report: &Report) -> io::Result<()> {
        send(&mut *self.output.borrow_mut(), report)
    }

    /// Waits for the next order.
    pub fn next_order(&self) -> io::Result<Order> {
        self.orders.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends a report and waits until it is stored.
    pub fn report_and_wait(&self, report: &Report) -> io::Result<()> {
        self.report(report)?;
        match self.next_order()? {
            Order::Recorded => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Reports an event, and waits until it is stored if [`Event::is_awaited`].
    pub fn emit(&self, event: Event) -> io::Result<()> {
        match event.is_awaited() {
            true => self.report_and_wait(&Report::Event(event)),
            false => self.report(&Report::Event(event)),
        }
    }

    /// Asks the command whether the run continues after the rung at this step.
    pub fn ask_to_continue(&self, step: u64) -> io::Result<bool> {
        self.report(&Report::AtRung(step))?;
        match self.next_order()? {
            Order::Continue(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(order: &Order) -> io::Error {
    io::Error::other(format!("an unexpected request: {order:?}"))
}
