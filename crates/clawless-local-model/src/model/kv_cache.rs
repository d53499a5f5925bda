//! The keys and values of the tokens that one layer has evaluated.

use candle_core::{Result, Tensor};

/// Rows are added in steps of this many tokens, so that a short chat stays small.
const GROWTH: usize = 512;

/// One layer's cache; the tensors are `(kv heads, capacity, head size)`.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    rows: Option<(Tensor, Tensor)>,
    len: usize,
}

impl KvCache {
    /// Appends `(kv heads, new tokens, head size)` and returns views of the whole cache.
    pub(crate) fn append(&mut self, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let added = keys.dim(1)?;
        let needed = self.len + added;
        let (all_keys, all_values) = match self.rows.take() {
            Some((k, v)) if k.dim(1)? >= needed => (k, v),
            Some((k, v)) => (widen(&k, needed)?, widen(&v, needed)?),
            None => (empty_like(keys, needed)?, empty_like(values, needed)?),
        };
        all_keys.slice_set(keys, 1, self.len)?;
        all_values.slice_set(values, 1, self.len)?;
        self.len = needed;
        let views = (
            all_keys.narrow(1, 0, needed)?,
            all_values.narrow(1, 0, needed)?,
        );
        self.rows = Some((all_keys, all_values));
        Ok(views)
    }

    /// Removes all tokens from `len` on; the memory stays allocated.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

fn empty_like(rows: &Tensor, capacity: usize) -> Result<Tensor> {
    let (heads, _, size) = rows.dims3()?;
    let capacity = capacity.next_multiple_of(GROWTH);
    Tensor::zeros((heads, capacity, size), rows.dtype(), rows.device())
}

fn widen(rows: &Tensor, capacity: usize) -> Result<Tensor> {
    let wider = empty_like(rows, capacity)?;
    wider.slice_set(rows, 1, 0)?;
    Ok(wider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn rows(from: u32, count: u32) -> Tensor {
        let numbers = Tensor::arange(from, from + count, &Device::Cpu).unwrap();
        numbers.reshape((1, (), 1)).unwrap()
    }

    #[test]
    fn rows_survive_growth_and_are_overwritten_after_a_cut() {
        let mut cache = KvCache::default();
        cache.append(&rows(0, 500), &rows(0, 500)).unwrap();
        let (k, _) = cache.append(&rows(500, 100), &rows(0, 100)).unwrap();
        assert_eq!(k.dims(), [1, 600, 1]);
        let flat: Vec<u32> = k.flatten_all().unwrap().to_vec1().unwrap();
        assert!(flat.iter().copied().eq(0..600));

        cache.truncate(2);
        let (k, _) = cache.append(&rows(9, 1), &rows(9, 1)).unwrap();
        let flat: Vec<u32> = k.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(flat, [0, 1, 9]);
    }
}
