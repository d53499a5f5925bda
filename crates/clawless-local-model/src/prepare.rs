//! `prepare`: rewriting a GGUF file once so that it decodes faster.
//!
//! candle has fast kernels for `Q8_0` and the k-quants, but not for `Q5_0` and `Q4_1`. `Q8_0` has the
//! precision of both, so no accuracy is lost; the file grows.

use crate::cli::PrepareOptions;
use crate::error::Failure;
use crate::model::Gguf;
use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Reads, converts and writes; `output` appears only when it is complete.
pub(crate) fn run(options: &PrepareOptions) -> Result<(), Failure> {
    let mut file = Gguf::open(&options.input)?;
    let tensors = convert(&mut file)?;
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();

    // Sorted, so that one input always gives one output.
    let mut metadata: Vec<(&str, &gguf_file::Value)> = file
        .content
        .metadata
        .iter()
        // The writer uses the default alignment, independent of the input.
        .filter(|(key, _)| *key != "general.alignment")
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    metadata.sort_unstable_by_key(|(key, _)| *key);

    let partial = partial_path(&options.output);
    eprintln!("writing {}", options.output.display());
    let written = write(&partial, &metadata, &tensors).and_then(|()| {
        std::fs::rename(&partial, &options.output).map_err(|source| Failure::File {
            path: options.output.clone(),
            source,
        })
    });
    if written.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    written
}

fn convert(file: &mut Gguf) -> Result<Vec<(String, QTensor)>, Failure> {
    let mut order: Vec<(u64, String)> = file
        .content
        .tensor_infos
        .iter()
        .map(|(name, info)| (info.offset, name.clone()))
        .collect();
    order.sort_unstable();
    // A separate embedding is only looked up row by row, so conversion has no benefit.
    let separate_output = file.has_tensor("output.weight");
    let count = order.len();
    let mut tensors = Vec::with_capacity(count);
    for (index, (_, name)) in order.into_iter().enumerate() {
        let mut tensor = file.tensor(&name)?;
        let slow = matches!(tensor.dtype(), GgmlDType::Q5_0 | GgmlDType::Q4_1);
        if slow && !(separate_output && name == "token_embd.weight") {
            let plain = tensor.dequantize(&Device::Cpu)?;
            tensor = QTensor::quantize(&plain, GgmlDType::Q8_0)?;
        }
        tensors.push((name, tensor));
        let done = index + 1;
        if done % 50 == 0 || done == count {
            eprintln!("converted {done}/{count} tensors");
        }
    }
    Ok(tensors)
}

/// A name beside the output, on the same file system, that no other process uses.
fn partial_path(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".partial-{}", std::process::id()));
    output.with_file_name(name)
}

fn write(
    path: &Path,
    metadata: &[(&str, &gguf_file::Value)],
    tensors: &[(&str, &QTensor)],
) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        path: path.to_path_buf(),
        source,
    };
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    gguf_file::write(&mut writer, metadata, tensors)?;
    writer.flush().map_err(failed)?;
    writer.get_ref().sync_all().map_err(failed)
}
