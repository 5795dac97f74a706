//! What a model's file says, read with the messages that it was written with. `tests/it/onnx` runs the files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use prost::Message;

use super::{
    classifier::classifier,
    proto::{EXTERNAL, GraphProto, ModelProto, TensorProto, ValueInfoProto},
    write::{IR_VERSION, LONGEST, OPSET, write},
};
use crate::{
    export::Numbers,
    model::{ModelConfig, Module, Parameter, Parameters, read_weights},
};

/// The tiny model of a family.
fn model(name: &str) -> (ModelConfig, Parameters) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families").join(name);
    let config = ModelConfig::read(&folder.join("config.json")).expect("a config");
    let path = folder.join("model.safetensors");
    let weights = read_weights(&path).expect("weights");
    let bias = ["classifier.bias", "classifier.out_proj.bias"].into_iter().find_map(|name| weights.get(name));
    let labels = bias.expect("a classifier").elem_count();
    let loaded = Parameters::load(&config, labels, weights, &path, 0).expect("weights");
    (config, loaded.parameters)
}

/// The names of all models.
fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    let entries = folder.read_dir().expect("the families").map(|entry| entry.expect("an entry").path());
    let folders = entries.filter(|path| path.is_dir());
    folders.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

/// A model's file, read again; and its weights.
fn written(name: &str, numbers: Numbers) -> (ModelProto, Parameters) {
    let (config, parameters) = model(name);
    let dir = tempfile::tempdir().expect("a folder");
    let (graph, constants) = classifier(&config, &parameters, numbers);
    let files = write(&graph, &constants, LONGEST, dir.path()).expect("written");
    assert_eq!(files, ["model.onnx"]);
    let bytes = fs::read(dir.path().join("model.onnx")).expect("a file");
    drop(constants);
    (ModelProto::decode(bytes.as_slice()).expect("a model"), parameters)
}

fn graph(model: &ModelProto) -> &GraphProto {
    model.graph.as_ref().expect("a graph")
}

fn constants(model: &ModelProto) -> BTreeMap<&str, &TensorProto> {
    graph(model).initializer.iter().map(|tensor| (tensor.name.as_deref().expect("a name"), tensor)).collect()
}

fn values(parameters: &Parameters, parameter: &Parameter) -> Vec<f32> {
    parameters.get(&parameter.name).flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    assert_eq!(tensor.data_type, Some(1), "float32");
    let (numbers, rest) = tensor.raw_data.as_ref().expect("numbers").as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Whether a tensor is the matrix of a dense layer, which the graph holds transposed; its shape must be as wanted.
fn is_dense(parameter: &Parameter, tensor: &TensorProto) -> bool {
    let tables = [Module::Words, Module::Positions, Module::TokenTypes, Module::Tasks, Module::RelativePositions];
    let is_dense = parameter.shape.len() == 2 && !tables.contains(&parameter.module);
    let mut wanted = parameter.shape.clone();
    if is_dense {
        wanted.reverse();
    }
    assert!(tensor.dims.iter().map(|n| *n as usize).eq(wanted), "{}: {:?}", parameter.name, tensor.dims);
    is_dense
}

/// The name, the type and the shape of an input or output.
fn described(info: &ValueInfoProto) -> (String, i32, Vec<String>) {
    let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).expect("a tensor");
    let dims = tensor.shape.as_ref().expect("a shape").dim.iter();
    let dim = |d: &super::proto::DimensionProto| d.dim_param.clone().or(d.dim_value.map(|n| n.to_string()));
    (info.name.clone().expect("a name"), tensor.elem_type.expect("a type"), dims.filter_map(dim).collect())
}

#[test]
fn a_file_has_every_weight_once_and_reads_what_was_computed() {
    let names = names();
    assert_eq!(names.len(), 24);
    for name in &names {
        let (model, parameters) = written(name, Numbers::Fp32);
        assert_eq!((model.ir_version, model.opset_import[0].version), (Some(IR_VERSION), Some(OPSET)), "{name}");
        let tensors = constants(&model);
        assert_eq!(tensors.len(), graph(&model).initializer.len(), "{name}: each name once");
        for parameter in parameters.spec().parameters() {
            let tensor = tensors[parameter.name.as_str()];
            let (is, mut wanted) = (floats(tensor), values(&parameters, parameter));
            if is_dense(parameter, tensor) {
                let [out, width] = parameter.shape[..] else { panic!("a matrix") };
                wanted = (0..width * out).map(|i| wanted[i % out * width + i / out]).collect();
            }
            assert!(is == wanted, "{name}: {}", parameter.name);
        }
        // Everything that a node reads is an input, a constant or the output of a node before it; every constant is read.
        let graph = graph(&model);
        let mut known: BTreeSet<&str> = graph.input.iter().filter_map(|input| input.name.as_deref()).collect();
        known.extend(tensors.keys());
        let mut read = BTreeSet::new();
        for node in &graph.node {
            for input in &node.input {
                assert!(known.contains(input.as_str()), "{name}: {input}");
                read.insert(input.as_str());
            }
            for output in &node.output {
                assert!(known.insert(output), "{name}: {output} is computed twice");
            }
        }
        assert!(known.contains("logits"), "{name}");
        let unread: Vec<_> = tensors.keys().filter(|constant| !read.contains(*constant)).collect();
        assert!(unread.is_empty(), "{name}: {unread:?}");
    }
}

#[test]
fn inputs_and_outputs_have_optimums_names() {
    let dims = |last: &str| vec!["batch_size".to_string(), last.to_string()];
    let input = |name: &str| (name.to_string(), 7, dims("sequence_length"));
    for (name, types, labels) in
        [("bert_pairs", true, "3"), ("roberta", false, "3"), ("distilbert", false, "3"), ("modernbert_cls", false, "5")]
    {
        for numbers in [Numbers::Fp32, Numbers::Fp16, Numbers::Int8] {
            let (model, _) = written(name, numbers);
            let inputs: Vec<_> = graph(&model).input.iter().map(described).collect();
            let mut wanted = vec![input("input_ids"), input("attention_mask")];
            wanted.extend(types.then(|| input("token_type_ids")));
            assert_eq!(inputs, wanted, "{name}");
            let outputs: Vec<_> = graph(&model).output.iter().map(described).collect();
            assert_eq!(outputs, [("logits".to_string(), 1, dims(labels))], "{name}: float32, whatever the weights are");
        }
    }
}

/// Integers times the scale of their row are at most half a scale from the weight, and the largest of a row is 127.
#[test]
fn quantised_weights_are_within_half_a_step() {
    for name in ["bert_pairs", "albert", "modernbert_cls", "deberta_v3"] {
        let (model, parameters) = written(name, Numbers::Int8);
        let tensors = constants(&model);
        let mut quantized = 0;
        for parameter in parameters.spec().parameters() {
            let Some(scales) = tensors.get(format!("{}_scale", parameter.name).as_str()) else { continue };
            let (tensor, scales) = (tensors[parameter.name.as_str()], floats(scales));
            assert_eq!(tensor.data_type, Some(3), "int8");
            let integers: Vec<i8> =
                tensor.raw_data.as_ref().expect("numbers").iter().map(|byte| byte.cast_signed()).collect();
            let [rows, width] = parameter.shape[..] else { panic!("a matrix") };
            let at = |row: usize, column: usize| match is_dense(parameter, tensor) {
                true => integers[column * rows + row],
                false => integers[row * width + column],
            };
            for (row, wanted) in values(&parameters, parameter).chunks_exact(width).enumerate() {
                let mut largest = 0;
                for (column, wanted) in wanted.iter().enumerate() {
                    let integer = at(row, column);
                    largest = largest.max(integer.unsigned_abs());
                    let error = (f32::from(integer) * scales[row] - wanted).abs();
                    assert!(error <= 0.501 * scales[row], "{name}: {} is {error} off", parameter.name);
                }
                assert_eq!(largest, 127, "{name}: {}", parameter.name);
            }
            quantized += 1;
        }
        assert!(quantized > 5, "{name}: {quantized}");
        assert!(!tensors.contains_key("classifier.weight_scale"));
    }
}

#[test]
fn a_number_that_float16_does_not_hold_is_refused_by_the_name_of_its_tensor() {
    let (config, parameters) = model("bert_pairs");
    let mut tensors = parameters.into_tensors();
    let bias = tensors["classifier.bias"].affine(0.0, 70_000.0).expect("numbers");
    tensors.insert("classifier.bias".into(), bias);
    let parameters = Parameters::load(&config, 3, tensors, "it".as_ref(), 0).expect("weights").parameters;
    let dir = tempfile::tempdir().expect("a folder");
    let (graph, constants) = classifier(&config, &parameters, Numbers::Fp16);
    let error = write(&graph, &constants, LONGEST, dir.path()).expect_err("too large").to_string();
    assert_eq!(
        error,
        "--dtype fp16: classifier.bias contains 70000, but the largest float16 number is 65504; use --dtype fp32"
    );
}

#[test]
fn a_model_that_is_too_long_for_one_file_has_its_weights_in_another() {
    let (config, parameters) = model("modernbert_cls");
    let (written, constants) = classifier(&config, &parameters, Numbers::Fp32);
    let [whole, apart] = [LONGEST, 10_000].map(|longest| {
        let dir = tempfile::tempdir().expect("a folder");
        let files = write(&written, &constants, longest, dir.path()).expect("written");
        let [model, weights] = ["model.onnx", "model.onnx.data"].map(|name| fs::read(dir.path().join(name)).ok());
        assert_eq!(files.len(), 1 + usize::from(weights.is_some()));
        (ModelProto::decode(model.expect("a file").as_slice()).expect("a model"), weights)
    });
    assert!(whole.1.is_none());
    let weights = apart.1.expect("another file");
    let mut moved = 0;
    for (there, here) in apart.0.graph.expect("a graph").initializer.iter().zip(&graph(&whole.0).initializer) {
        let numbers = match there.data_location {
            Some(location) => {
                moved += 1;
                assert_eq!((location, there.external_data[0].value.as_deref()), (EXTERNAL, Some("model.onnx.data")));
                let [offset, length] = [1, 2].map(|i| {
                    there.external_data[i].value.as_ref().and_then(|v| v.parse::<usize>().ok()).expect("a number")
                });
                assert_eq!(offset % 4096, 0);
                &weights[offset..offset + length]
            }
            None => there.raw_data.as_ref().expect("numbers"),
        };
        assert_eq!(numbers, here.raw_data.as_ref().expect("numbers"));
    }
    // Programs need small ones to learn shapes.
    assert_eq!(moved, constants.iter().filter(|constant| constant.bytes() >= 1024).count());
    assert!(moved > 0);
}
