//! Jobs one after the other on the caller's thread, in an order that the world's seed decides.

use std::sync::mpsc::{self, Receiver};

use super::World;
use crate::drive::executor::carry_out;
use crate::drive::{Answer, Executor, Job};

#[derive(Debug)]
pub struct Seeded(World);

impl Seeded {
    #[must_use]
    pub fn new(world: World) -> Self {
        Self(world)
    }
}

impl Executor for Seeded {
    fn start(&self, jobs: Vec<Job>) -> Receiver<Answer> {
        let (sender, receiver) = mpsc::channel();
        let mut waiting: Vec<(usize, Job)> = jobs.into_iter().enumerate().collect();
        while !waiting.is_empty() {
            let next = self.0.draw(|generator| generator.below(waiting.len() as u64));
            let (place, job) = waiting.swap_remove(usize::try_from(next).unwrap_or(0));
            // Nobody listens where the caller only wants the jobs done.
            let _ = sender.send((place, carry_out(job)));
        }
        receiver
    }
}
