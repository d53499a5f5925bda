//! The port for random bytes.

/// A source of random bytes: the platform's cryptographic generator, or a seeded one in tests.
pub trait Entropy {
    /// Fills `bytes` with random values.
    fn fill(&self, bytes: &mut [u8]);

    /// Returns `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl<E: Entropy + ?Sized> Entropy for &E {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}
