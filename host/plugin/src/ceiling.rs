//! The limits on memories and tables, with an error that says which one was met.

use wasmtime::{Error, ResourceLimiter};

use crate::limits::Limits;

/// A guest wanted more than it may have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it wanted {wanted} {what}, the limit is {limit}")]
pub struct Exceeded {
    what: &'static str,
    wanted: usize,
    limit: usize,
}

/// Counts what a store's instances have.
#[derive(Debug)]
pub struct Ceiling {
    memory: usize,
    memory_limit: usize,
    table_elements: usize,
    tables: usize,
    memories: usize,
    instances: usize,
}

impl Ceiling {
    /// The limits of a call; the memory's may be the manifest's.
    pub const fn new(limits: &Limits, memory_limit: usize) -> Self {
        Self {
            memory: 0,
            memory_limit,
            table_elements: limits.table_elements,
            tables: limits.tables,
            memories: limits.memories,
            instances: limits.instances,
        }
    }
}

impl ResourceLimiter for Ceiling {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> Result<bool, Error> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            return Err(Error::new(Exceeded {
                what: "bytes of memory",
                wanted,
                limit: self.memory_limit,
            }));
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        if desired > self.table_elements {
            return Err(Error::new(Exceeded {
                what: "table elements",
                wanted: desired,
                limit: self.table_elements,
            }));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
