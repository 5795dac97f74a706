//! The modules of a model as parts of a graph, with their weights from the table of parameters.

use std::collections::BTreeMap;

use super::{
    graph::{Graph, Value, integer, number},
    initializer::{Produce, f16_bytes, f32_bytes, i8_bytes, quantized, scales, transposed},
    proto::DataType,
};
use crate::{
    execute::ExecuteError,
    export::Numbers,
    kernels::Activation,
    model::{ModelConfig, Module, Parameter, Parameters, Part},
};

/// A graph with the model that it is written from.
pub struct Modules<'a> {
    /// The graph.
    pub graph: Graph<'a>,
    /// The model's shape.
    pub config: &'a ModelConfig,
    parameters: &'a Parameters,
    numbers: Numbers,
    /// What is quantised, and it as floating-point numbers again.
    quantized: BTreeMap<Value, Value>,
}

/// Whether a dense layer multiplies integers where [`Numbers::Int8`] is wanted: the head does not, since it costs next to nothing.
fn is_quantized(module: Module) -> bool {
    matches!(module, Module::Layer(..) | Module::EmbeddingProjection)
}

impl<'a> Modules<'a> {
    /// An empty graph of a model.
    pub fn new(config: &'a ModelConfig, parameters: &'a Parameters, numbers: Numbers) -> Self {
        let float = if numbers == Numbers::Fp16 { DataType::Float16 } else { DataType::Float };
        Self { graph: Graph::new(float), config, parameters, numbers, quantized: BTreeMap::new() }
    }

    /// Whether the model has a module.
    pub fn has(&self, module: Module) -> bool {
        self.find(module, Part::Weight).is_some()
    }

    fn find(&self, module: Module, part: Part) -> Option<&'a Parameter> {
        self.parameters.spec().find(module, part)
    }

    /// A module's weight, which every model has that gets here.
    fn weight(&self, module: Module) -> &'a Parameter {
        self.parameters.spec().get(module, Part::Weight)
    }

    /// The numbers of a parameter after a change, such as another order, as the graph stores them.
    fn numbers(&self, parameter: &'a Parameter, change: fn(&[f32], usize) -> Vec<f32>, to: DataType) -> Produce<'a> {
        let (parameters, columns) =
            (self.parameters, *parameter.shape.last().expect("no parameter is a single number"));
        Box::new(move || {
            let values = change(&values(parameters, parameter)?, columns);
            match to {
                DataType::Float16 => f16_bytes(&parameter.name, &values),
                DataType::Int8 => Ok(i8_bytes(&values)),
                _ => Ok(f32_bytes(&values)),
            }
        })
    }

    /// A parameter as files of weights have it.
    fn parameter(&mut self, parameter: &'a Parameter) -> Value {
        let float = self.graph.float();
        let numbers = self.numbers(parameter, |values, _| values.to_vec(), float);
        self.graph.constant(&parameter.name, &parameter.shape, float, numbers)
    }

    /// The table of an embedding.
    pub fn table(&mut self, module: Module) -> Value {
        self.parameter(self.weight(module))
    }

    /// The rows of the table of words for these ids. As integers, each row has its own scale.
    pub fn words(&mut self, ids: &Value) -> Value {
        if self.numbers != Numbers::Int8 {
            let table = self.table(Module::Words);
            return self.graph.node("Gather", &[&table, ids], Vec::new());
        }
        let parameter = self.weight(Module::Words);
        let numbers = self.numbers(parameter, quantized, DataType::Int8);
        let table = self.graph.constant(&parameter.name, &parameter.shape, DataType::Int8, numbers);
        let scale = self.numbers(parameter, scales, DataType::Float);
        let scale = self.graph.constant(&scale_name(parameter), &[parameter.shape[0], 1], DataType::Float, scale);
        let [rows, scales] = [&table, &scale].map(|table| self.graph.node("Gather", &[table, ids], Vec::new()));
        let rows = self.graph.cast(&rows, DataType::Float);
        self.graph.mul(&rows, &scales)
    }

    /// A dense layer.
    pub fn linear(&mut self, x: &Value, module: Module) -> Value {
        let x = match self.numbers == Numbers::Int8 && is_quantized(module) {
            true => self.quantize(x),
            false => x.clone(),
        };
        let (weight, bias) = self.weights(module);
        self.affine(&x, &weight, bias.as_ref())
    }

    /// A dense layer over what does not depend on a text. It is not rounded to integers, and is computed in float32: then programs can do so
    /// when they load the model (onnxruntime 1.32 has no products of float16 there, and crashes if it looks for one).
    pub fn linear_of_constants(&mut self, x: &Value, module: Module) -> Value {
        let (weight, bias) = self.weights(module);
        let float = self.graph.float();
        if float == DataType::Float {
            return self.affine(x, &weight, bias.as_ref());
        }
        let [x, weight] = [x, &weight].map(|x| self.graph.cast(x, DataType::Float));
        let bias = bias.map(|bias| self.graph.cast(&bias, DataType::Float));
        let y = self.affine(&x, &weight, bias.as_ref());
        self.graph.cast(&y, float)
    }

    /// The matrix and the bias of a dense layer.
    fn weights(&mut self, module: Module) -> (Value, Option<Value>) {
        let bias = self.find(module, Part::Bias).map(|bias| self.parameter(bias));
        (self.matrix(module), bias)
    }

    fn affine(&mut self, x: &Value, weight: &Value, bias: Option<&Value>) -> Value {
        let y = self.graph.matmul(x, weight);
        bias.map_or(y.clone(), |bias| self.graph.add(&y, bias))
    }

    /// Rounds to 8-bit integers, with a scale from the least and the greatest number of all texts. Programs that know the pattern multiply
    /// the integers.
    fn quantize(&mut self, x: &Value) -> Value {
        if let Some(known) = self.quantized.get(x) {
            return known.clone();
        }
        let [integers, scale, zero] = self.graph.nodes_outputs("DynamicQuantizeLinear", &[x], Vec::new());
        let rounded = self.graph.node("DequantizeLinear", &[&integers, &scale, &zero], Vec::new());
        self.quantized.insert(x.clone(), rounded.clone());
        rounded
    }

    /// The matrix of a dense layer, `[in, out]`: the transpose of the parameter.
    fn matrix(&mut self, module: Module) -> Value {
        let parameter = self.weight(module);
        let (name, shape) = (&parameter.name, [parameter.shape[1], parameter.shape[0]]);
        if self.numbers != Numbers::Int8 || !is_quantized(module) {
            let float = self.graph.float();
            let numbers = self.numbers(parameter, transposed, float);
            return self.graph.constant(name, &shape, float, numbers);
        }
        let integers = |values: &[f32], columns: usize| transposed(&quantized(values, columns), columns);
        let numbers = self.numbers(parameter, integers, DataType::Int8);
        let weight = self.graph.constant(name, &shape, DataType::Int8, numbers);
        if let Some(known) = self.quantized.get(&weight) {
            return known.clone();
        }
        let scale = self.numbers(parameter, scales, DataType::Float);
        let scale = self.graph.constant(&scale_name(parameter), &shape[1..], DataType::Float, scale);
        let zeros = shape[1];
        let zero = Box::new(move || Ok(vec![0; zeros]));
        let zero = self.graph.constant(&format!("{name}_zero_point"), &shape[1..], DataType::Int8, zero);
        let matrix = self.graph.node("DequantizeLinear", &[&weight, &scale, &zero], vec![integer("axis", 1)]);
        self.quantized.insert(weight, matrix.clone());
        matrix
    }

    /// A norm.
    pub fn norm(&mut self, x: &Value, module: Module) -> Value {
        let weight = self.table(module);
        let bias = self.find(module, Part::Bias).map(|bias| self.parameter(bias));
        let inputs: Vec<&Value> = [x, &weight].into_iter().chain(&bias).collect();
        let epsilon = number("epsilon", self.config.layer_norm_eps as f32);
        self.graph.node("LayerNormalization", &inputs, vec![integer("axis", -1), epsilon])
    }

    /// An activation.
    pub fn activation(&mut self, x: &Value, activation: Activation) -> Value {
        let g = &mut self.graph;
        match activation {
            Activation::Relu => g.node("Relu", &[x], Vec::new()),
            Activation::Tanh => g.node("Tanh", &[x], Vec::new()),
            Activation::Silu => {
                let sigmoid = g.node("Sigmoid", &[x], Vec::new());
                g.mul(x, &sigmoid)
            }
            Activation::Gelu => {
                let root = g.number(std::f32::consts::SQRT_2);
                let scaled = g.node("Div", &[x, &root], Vec::new());
                let erf = g.node("Erf", &[&scaled], Vec::new());
                half_of(g, x, &erf)
            }
            Activation::GeluTanh => {
                let [cubic, factor] = [0.044_715, (2.0 / std::f32::consts::PI).sqrt()].map(|v| g.number(v));
                let one = g.number(1.0);
                let square = g.mul(x, x);
                let square = g.mul(&square, &cubic);
                let sum = g.add(&square, &one);
                let x_scaled = g.mul(x, &factor);
                let inner = g.mul(&sum, &x_scaled);
                let tanh = g.node("Tanh", &[&inner], Vec::new());
                half_of(g, x, &tanh)
            }
        }
    }
}

/// x/2·(1 + y), as programs expect it that know GELU by its operators.
fn half_of(g: &mut Graph, x: &Value, y: &Value) -> Value {
    let [one, half] = [1.0, 0.5].map(|v| g.number(v));
    let sum = g.add(y, &one);
    let product = g.mul(x, &sum);
    g.mul(&product, &half)
}

fn scale_name(parameter: &Parameter) -> String {
    format!("{}_scale", parameter.name)
}

fn values(parameters: &Parameters, parameter: &Parameter) -> Result<Vec<f32>, ExecuteError> {
    Ok(parameters.get(&parameter.name).flatten_all()?.to_vec1()?)
}
