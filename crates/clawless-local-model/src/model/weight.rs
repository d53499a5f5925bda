//! A quantised matrix in the layout that the fastest kernels accept.
//!
//! candle's wide x86 kernels for `Q8_0` (with VNNI) want rows of a multiple of 256 numbers; both models
//! have narrower ones (896 and 576). For reading a prompt, many tokens at once, a second copy is padded
//! with zeros, which changes no result: over three times faster, for 0.6 GB with the larger model. For a
//! single token the plain kernels are twice as fast, so decoding stays with the plain matrix.

use super::gguf::Gguf;
use crate::error::Failure;
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{D, Device, Module as _, Result, Tensor};
use std::borrow::Cow;
use std::sync::Arc;

/// Numbers in the smallest row unit of the wide kernels.
const WIDE_ROW: usize = 256;

/// A matrix that multiplies activations.
#[derive(Debug)]
pub(crate) struct Weight {
    plain: QMatMul,
    wide: Option<Wide>,
    bias: Option<Tensor>,
}

/// The padded copy.
#[derive(Debug)]
struct Wide {
    matrix: QMatMul,
    padding: usize,
}

impl Weight {
    /// Reads `<name>.weight` and, where there is one, `<name>.bias`.
    pub(crate) fn load(file: &mut Gguf, name: &str) -> std::result::Result<Self, Failure> {
        let matrix = file.tensor(&format!("{name}.weight"))?;
        let bias = format!("{name}.bias");
        let bias = if file.has_tensor(&bias) {
            Some(file.tensor(&bias)?.dequantize(&Device::Cpu)?)
        } else {
            None
        };
        Ok(Self {
            wide: Wide::of(&matrix)?,
            plain: QMatMul::from_qtensor(matrix)?,
            bias,
        })
    }

    /// A matrix that is only used for one token at a time; it may be shared, as the embedding is.
    pub(crate) fn for_one_token(matrix: Arc<QTensor>) -> Result<Self> {
        Ok(Self {
            plain: QMatMul::from_arc(matrix)?,
            wide: None,
            bias: None,
        })
    }

    /// `(tokens, width)` to `(tokens, height)`.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let output = match &self.wide {
            Some(wide) if input.dim(0)? > 1 => {
                let padded = input.pad_with_zeros(D::Minus1, 0, wide.padding)?;
                wide.matrix.forward(&padded)?
            }
            _ => self.plain.forward(input)?,
        };
        match &self.bias {
            Some(bias) => output.broadcast_add(bias),
            None => Ok(output),
        }
    }
}

impl Wide {
    /// The padded copy, where it helps.
    fn of(matrix: &QTensor) -> Result<Option<Self>> {
        let (_, width) = matrix.shape().dims2()?;
        let padding = width.next_multiple_of(WIDE_ROW) - width;
        if padding == 0 || matrix.dtype() != GgmlDType::Q8_0 || !has_wide_kernels() {
            return Ok(None);
        }
        Ok(Some(Self {
            matrix: QMatMul::from_qtensor(widen(matrix, padding)?)?,
            padding,
        }))
    }
}

/// The same matrix with `padding` zeros at the end of each row.
fn widen(matrix: &QTensor, padding: usize) -> Result<QTensor> {
    let (height, width) = matrix.shape().dims2()?;
    let dtype = matrix.dtype();
    let bytes_of = |numbers: usize| numbers / dtype.block_size() * dtype.type_size();
    let wide = width + padding;
    let mut data = Vec::with_capacity(height * bytes_of(wide));
    for row in matrix.data()?.chunks(bytes_of(width)) {
        data.extend_from_slice(row);
        data.resize(data.len() + bytes_of(padding), 0);
    }
    let storage = QStorage::from_data(Cow::Owned(data), &Device::Cpu, dtype)?;
    QTensor::new(storage, (height, wide))
}

#[cfg(target_arch = "x86_64")]
fn has_wide_kernels() -> bool {
    (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"))
        || (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni"))
}

#[cfg(not(target_arch = "x86_64"))]
fn has_wide_kernels() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_changes_no_result() {
        let plain = Tensor::rand(-1.0_f32, 1.0, (32, 64), &Device::Cpu).unwrap();
        let narrow = QTensor::quantize(&plain, GgmlDType::Q8_0).unwrap();
        let wide = Weight {
            wide: Some(Wide {
                matrix: QMatMul::from_qtensor(widen(&narrow, 192).unwrap()).unwrap(),
                padding: 192,
            }),
            plain: QMatMul::from_qtensor(narrow).unwrap(),
            bias: None,
        };
        let input = Tensor::rand(-1.0_f32, 1.0, (3, 64), &Device::Cpu).unwrap();
        let expected = input.matmul(&plain.t().unwrap()).unwrap();
        let difference = (wide.forward(&input).unwrap() - expected).unwrap();
        let worst = difference
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap();
        assert!(worst.to_scalar::<f32>().unwrap() < 0.2);
    }
}
