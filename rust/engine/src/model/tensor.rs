//! What a model takes and gives: element types, shapes, and whether it is a tensor or a sequence of tensors.

use ort::value::{Outlet, TensorElementType, ValueType};

use super::onnx_proto::ModelSummary;

/// Element types that a column can become or come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// 16-bit float: 11 bits of precision, up to 65504.
    Float16,
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Float64,
    /// 8-bit integer.
    Int8,
    /// 16-bit integer.
    Int16,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// 8-bit integer without sign.
    Uint8,
    /// 16-bit integer without sign.
    Uint16,
    /// 32-bit integer without sign.
    Uint32,
    /// 64-bit integer without sign.
    Uint64,
    /// True or false.
    Bool,
    /// Text.
    String,
}

impl ElementType {
    fn from_ort(kind: TensorElementType) -> Option<Self> {
        Some(match kind {
            TensorElementType::Float16 => Self::Float16,
            TensorElementType::Float32 => Self::Float32,
            TensorElementType::Float64 => Self::Float64,
            TensorElementType::Int8 => Self::Int8,
            TensorElementType::Int16 => Self::Int16,
            TensorElementType::Int32 => Self::Int32,
            TensorElementType::Int64 => Self::Int64,
            TensorElementType::Uint8 => Self::Uint8,
            TensorElementType::Uint16 => Self::Uint16,
            TensorElementType::Uint32 => Self::Uint32,
            TensorElementType::Uint64 => Self::Uint64,
            TensorElementType::Bool => Self::Bool,
            TensorElementType::String => Self::String,
            _ => return None,
        })
    }

    /// ONNX's name, such as `float`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }

    /// Whether it has a NaN.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorDescription {
    /// Name in the model.
    pub name: String,
    /// Element type; `None` for one that no column can hold, and for what is neither a tensor nor a sequence of them.
    pub element: Option<ElementType>,
    /// What ONNX calls the type, for messages.
    pub type_name: String,
    /// Declared shape, of one element if it is a sequence; `None` for a dimension that varies. Empty also when the file
    /// does not say.
    pub shape: Vec<Option<i64>>,
    /// A sequence of tensors instead of one.
    pub is_sequence: bool,
    /// Class labels of the columns, in order, where the file tells them; else empty.
    pub labels: Vec<String>,
}

/// What ONNX Runtime says about an input or output, with the labels that the file tells.
pub(super) fn describe(outlet: &Outlet, summary: &ModelSummary) -> TensorDescription {
    let (element, type_name, shape, is_sequence) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let (element, name) = named(*ty);
            (element, name, dims(shape), false)
        }
        ValueType::Sequence(inner) => match inner.as_ref() {
            ValueType::Tensor { ty, shape, .. } => {
                let (element, name) = named(*ty);
                (element, format!("sequence of {name}"), dims(shape), true)
            }
            _ => (None, outlet.dtype().to_string(), Vec::new(), true),
        },
        other => (None, other.to_string(), Vec::new(), false),
    };
    let labels = summary.labels.get(outlet.name()).cloned().unwrap_or_default();
    TensorDescription { name: outlet.name().to_owned(), element, type_name, shape, is_sequence, labels }
}

fn named(kind: TensorElementType) -> (Option<ElementType>, String) {
    let element = ElementType::from_ort(kind);
    (element, element.map_or_else(|| kind.to_string(), |element| element.name().to_owned()))
}

fn dims(shape: &[i64]) -> Vec<Option<i64>> {
    shape.iter().map(|&dim| (dim >= 0).then_some(dim)).collect()
}

impl TensorDescription {
    /// Dimensions after the first, which counts the rows.
    pub(super) fn inner(&self) -> Vec<Option<usize>> {
        self.shape.iter().skip(1).map(|dim| usize::try_from((*dim)?).ok()).collect()
    }

    /// Values per row: the product of all dimensions but the first. `None` if one of them varies, if nothing is declared,
    /// and for a sequence.
    pub fn width(&self) -> Option<usize> {
        match self.shape.len() {
            0 => None,
            _ if self.is_sequence => None,
            _ => self.inner().into_iter().try_fold(1usize, |product, dim| product.checked_mul(dim?)),
        }
    }
}

impl std::fmt::Display for TensorDescription {
    /// `float_input float[?,16]`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.type_name)?;
        if !self.shape.is_empty() {
            let dims: Vec<String> =
                self.shape.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
            write!(f, "[{}]", dims.join(","))?;
        }
        Ok(())
    }
}
