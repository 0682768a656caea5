//! The names of operators, as the code property graph specification writes them.

use ruff_python_ast::{BoolOp, CmpOp, Operator, UnaryOp};

/// The name of a binary operator.
pub(crate) const fn binary(op: Operator) -> &'static str {
    match op {
        Operator::Add => "<operator>.addition",
        Operator::Sub => "<operator>.subtraction",
        Operator::Mult => "<operator>.multiplication",
        Operator::MatMult => "<operator>.matMul",
        Operator::Div => "<operator>.division",
        Operator::Mod => "<operator>.modulo",
        Operator::Pow => "<operator>.exponentiation",
        Operator::LShift => "<operator>.shiftLeft",
        Operator::RShift => "<operator>.arithmeticShiftRight",
        Operator::BitOr => "<operator>.or",
        Operator::BitXor => "<operator>.xor",
        Operator::BitAnd => "<operator>.and",
        Operator::FloorDiv => "<operator>.floorDiv",
    }
}

/// The name of an augmented assignment.
pub(crate) const fn augmented(op: Operator) -> &'static str {
    match op {
        Operator::Add => "<operator>.assignmentPlus",
        Operator::Sub => "<operator>.assignmentMinus",
        Operator::Mult => "<operator>.assignmentMultiplication",
        Operator::MatMult => "<operator>.assignmentMatMul",
        Operator::Div => "<operator>.assignmentDivision",
        Operator::Mod => "<operator>.assignmentModulo",
        Operator::Pow => "<operator>.assignmentExponentiation",
        Operator::LShift => "<operator>.assignmentShiftLeft",
        Operator::RShift => "<operator>.assignmentArithmeticShiftRight",
        Operator::BitOr => "<operator>.assignmentOr",
        Operator::BitXor => "<operator>.assignmentXor",
        Operator::BitAnd => "<operator>.assignmentAnd",
        Operator::FloorDiv => "<operator>.assignmentFloorDiv",
    }
}

/// The name of a unary operator.
pub(crate) const fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Invert => "<operator>.not",
        UnaryOp::Not => "<operator>.logicalNot",
        UnaryOp::UAdd => "<operator>.plus",
        UnaryOp::USub => "<operator>.minus",
    }
}

/// The name of `and` or `or`.
pub(crate) const fn boolean(op: BoolOp) -> &'static str {
    match op {
        BoolOp::And => "<operator>.logicalAnd",
        BoolOp::Or => "<operator>.logicalOr",
    }
}

/// The name of a comparison; a chain of several (`a < b <= c`) has a name of its own.
pub(crate) const fn comparison(ops: &[CmpOp]) -> &'static str {
    match ops {
        [CmpOp::Eq] => "<operator>.equals",
        [CmpOp::NotEq] => "<operator>.notEquals",
        [CmpOp::Lt] => "<operator>.lessThan",
        [CmpOp::LtE] => "<operator>.lessEqualsThan",
        [CmpOp::Gt] => "<operator>.greaterThan",
        [CmpOp::GtE] => "<operator>.greaterEqualsThan",
        [CmpOp::Is] => "<operator>.is",
        [CmpOp::IsNot] => "<operator>.isNot",
        [CmpOp::In] => "<operator>.in",
        [CmpOp::NotIn] => "<operator>.notIn",
        _ => "<operator>.compare",
    }
}
