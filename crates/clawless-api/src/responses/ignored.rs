//! Parameters of a request that have no effect, for the header `x-clawless-dropped`.

/// The most names that are counted.
const MAX_NAMES: usize = 256;

/// The names of ignored parameters, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ignored(Vec<String>);

impl Ignored {
    /// Adds a name.
    pub(super) fn add(&mut self, name: impl Into<String>) {
        let name = name.into();
        if self.0.len() < MAX_NAMES && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// The names, in the order in which they were found.
    pub(super) fn into_names(self) -> Vec<String> {
        self.0
    }
}
