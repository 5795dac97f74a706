//! A graph that is being written: nodes, constants, inputs and outputs.

use std::collections::BTreeSet;

use super::{
    initializer::{Initializer, Produce, f16_bytes, f32_bytes, i64_bytes},
    proto::{
        ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, AttributeProto, DataType, DimensionProto, GraphProto,
        NodeProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
    },
};

/// The name of something that nodes read: an input, a constant, or what a node returns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(String);

/// A dimension of an input or output.
#[derive(Debug, Clone, Copy)]
pub enum Dimension {
    /// Fixed.
    Fixed(usize),
    /// Named, since it differs between calls.
    Named(&'static str),
}

/// A graph. What it returns of one node, it can pass to later nodes, so that nodes are in the order in which they can be computed.
pub struct Graph<'a> {
    /// The type of its floating-point numbers.
    float: DataType,
    /// The part of the model that nodes are named after.
    part: String,
    nodes: Vec<NodeProto>,
    constants: Vec<Initializer<'a>>,
    /// Names of the constants.
    known: BTreeSet<String>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
}

impl<'a> Graph<'a> {
    /// An empty graph that computes with floating-point numbers of this type.
    pub fn new(float: DataType) -> Self {
        Self {
            float,
            part: String::new(),
            nodes: Vec::new(),
            constants: Vec::new(),
            known: BTreeSet::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The type of its floating-point numbers.
    pub fn float(&self) -> DataType {
        self.float
    }

    /// Names the part of the model to which the following nodes belong.
    pub fn begin(&mut self, part: impl Into<String>) {
        self.part = part.into();
    }

    /// A new input.
    pub fn input(&mut self, name: &str, data_type: DataType, shape: &[Dimension]) -> Value {
        self.inputs.push(info(name, data_type, shape));
        Value(name.into())
    }

    /// Returns a value under a name, which it then has everywhere.
    pub fn output(&mut self, name: &str, value: &Value, data_type: DataType, shape: &[Dimension]) {
        let uses = self.nodes.iter_mut().flat_map(|node| node.output.iter_mut().chain(&mut node.input));
        uses.filter(|given| **given == value.0).for_each(|given| *given = name.into());
        self.outputs.push(info(name, data_type, shape));
    }

    /// What an operator returns.
    pub fn node(&mut self, operator: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        let [value] = self.nodes_outputs(operator, inputs, attributes);
        value
    }

    /// What an operator of several outputs returns.
    pub fn nodes_outputs<const N: usize>(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> [Value; N] {
        let name = format!("{}/{operator}_{}", self.part, self.nodes.len());
        let outputs = std::array::from_fn(|i| Value(if i == 0 { name.clone() } else { format!("{name}:{i}") }));
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: outputs.iter().map(|value: &Value| value.0.clone()).collect(),
            name: Some(name),
            op_type: Some(operator.into()),
            attribute: attributes,
        });
        outputs
    }

    /// A constant. One of a name that is known is not added again.
    pub fn constant(&mut self, name: &str, shape: &[usize], data_type: DataType, numbers: Produce<'a>) -> Value {
        if self.known.insert(name.into()) {
            self.constants.push(Initializer { name: name.into(), shape: shape.to_vec(), data_type, numbers });
        }
        Value(name.into())
    }

    /// A constant of floating-point numbers, of the graph's type.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Value {
        let (float, owned) = (self.float, name.to_string());
        let numbers = move || match float {
            DataType::Float16 => f16_bytes(&owned, &values),
            _ => Ok(f32_bytes(&values)),
        };
        self.constant(name, shape, float, Box::new(numbers))
    }

    /// A single number.
    pub fn number(&mut self, value: f32) -> Value {
        self.floats(&format!("number_{value:e}"), &[], vec![value])
    }

    /// Integers, in one dimension.
    pub fn integers(&mut self, values: &[i64]) -> Value {
        let name = values.iter().map(|v| format!("_{v}")).collect::<String>();
        let owned = values.to_vec();
        self.constant(
            &format!("integers{name}"),
            &[values.len()],
            DataType::Int64,
            Box::new(move || Ok(i64_bytes(&owned))),
        )
    }

    /// A single integer.
    pub fn integer(&mut self, value: i64) -> Value {
        let numbers = Box::new(move || Ok(i64_bytes(&[value])));
        self.constant(&format!("integer_{value}"), &[], DataType::Int64, numbers)
    }

    /// x + y.
    pub fn add(&mut self, x: &Value, y: &Value) -> Value {
        self.node("Add", &[x, y], Vec::new())
    }

    /// x·y, value by value.
    pub fn mul(&mut self, x: &Value, y: &Value) -> Value {
        self.node("Mul", &[x, y], Vec::new())
    }

    /// The product of matrices in the last two dimensions.
    pub fn matmul(&mut self, x: &Value, y: &Value) -> Value {
        self.node("MatMul", &[x, y], Vec::new())
    }

    /// Dimensions in another order.
    pub fn transpose(&mut self, x: &Value, order: &[i64]) -> Value {
        self.node("Transpose", &[x], vec![integers("perm", order)])
    }

    /// Another shape: 0 keeps a dimension.
    pub fn reshape(&mut self, x: &Value, shape: &[i64]) -> Value {
        let shape = self.integers(shape);
        self.node("Reshape", &[x, &shape], Vec::new())
    }

    /// With a dimension of 1 at each of these axes.
    pub fn unsqueeze(&mut self, x: &Value, axes: &[i64]) -> Value {
        let axes = self.integers(axes);
        self.node("Unsqueeze", &[x, &axes], Vec::new())
    }

    /// The part from `from` to before `to`, both `[1]`, of an axis.
    pub fn slice(&mut self, x: &Value, from: &Value, to: &Value, axis: i64) -> Value {
        let axis = self.integers(&[axis]);
        self.node("Slice", &[x, from, to, &axis], Vec::new())
    }

    /// Halves of the last dimension.
    pub fn halves(&mut self, x: &Value) -> [Value; 2] {
        self.nodes_outputs("Split", &[x], vec![integer("axis", -1)])
    }

    /// As numbers of another type.
    pub fn cast(&mut self, x: &Value, to: DataType) -> Value {
        self.node("Cast", &[x], vec![integer("to", i64::from(to as i32))])
    }

    /// The graph without its constants, and these.
    pub fn finish(self, name: &str) -> (GraphProto, Vec<Initializer<'a>>) {
        let graph = GraphProto {
            node: self.nodes,
            name: Some(name.into()),
            initializer: Vec::new(),
            input: self.inputs,
            output: self.outputs,
        };
        (graph, self.constants)
    }
}

/// An attribute of one integer.
pub fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: Some(name.into()), i: Some(value), r#type: Some(ATTRIBUTE_INT), ..AttributeProto::default() }
}

/// An attribute of integers.
pub fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        ints: values.to_vec(),
        r#type: Some(ATTRIBUTE_INTS),
        ..AttributeProto::default()
    }
}

/// An attribute of a number.
pub fn number(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        f: Some(value),
        r#type: Some(ATTRIBUTE_FLOAT),
        ..AttributeProto::default()
    }
}

fn info(name: &str, data_type: DataType, shape: &[Dimension]) -> ValueInfoProto {
    let dimension = |dimension: &Dimension| match *dimension {
        Dimension::Fixed(n) => DimensionProto { dim_value: Some(n as i64), dim_param: None },
        Dimension::Named(name) => DimensionProto { dim_value: None, dim_param: Some(name.into()) },
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor_type = TensorTypeProto { elem_type: Some(data_type as i32), shape: Some(shape) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
