//! Exported ONNX models in onnxruntime.
//!
//! Python is looked for in `TAPER_TEST_PYTHON`, else as `python3`; where it lacks onnxruntime the tests say so. With the package onnx, its
//! checker looks at each model, too.

mod command;
mod runtime;
