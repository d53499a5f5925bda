//! The port that gives random bytes.

/// A source of random bytes. Production uses the platform's cryptographic generator, tests a seed.
pub trait Entropy {
    /// Fills `bytes` with random values.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` random bytes.
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
