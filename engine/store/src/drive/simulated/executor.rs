//! Jobs one after the other on the caller's thread, in an order that the world's seed decides.

use std::io;
use std::time::Duration;

use super::World;
use crate::drive::{Executor, Job};

#[derive(Debug)]
pub struct Seeded(World);

impl Seeded {
    #[must_use]
    pub fn new(world: World) -> Self {
        Self(world)
    }
}

impl Executor for Seeded {
    fn run(&self, jobs: Vec<Job>, _timeout: Duration) -> Vec<io::Result<()>> {
        let count = jobs.len();
        let mut waiting: Vec<(usize, Job)> = jobs.into_iter().enumerate().collect();
        let mut done: Vec<(usize, io::Result<()>)> = Vec::with_capacity(count);
        while !waiting.is_empty() {
            let next = self.0.draw(|generator| generator.below(waiting.len() as u64));
            let (place, job) = waiting.swap_remove(usize::try_from(next).unwrap_or(0));
            done.push((place, job()));
        }
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
