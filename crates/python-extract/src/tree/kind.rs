//! The vocabularies of the tree: node kinds of the code property graph, node classes and fields of CPython's `ast`.

use super::label::labels;

labels! {
    /// The label of a node in the code property graph.
    pub(crate) enum NodeKind {
        Annotation = "ANNOTATION",
        Block = "BLOCK",
        Call = "CALL",
        ControlStructure = "CONTROL_STRUCTURE",
        Diagnostic = "PY_DIAGNOSTIC",
        Docstring = "PY_DOCSTRING",
        FieldIdentifier = "FIELD_IDENTIFIER",
        File = "FILE",
        Identifier = "IDENTIFIER",
        Import = "IMPORT",
        Literal = "LITERAL",
        Local = "LOCAL",
        Member = "MEMBER",
        Method = "METHOD",
        MethodRef = "METHOD_REF",
        MethodReturn = "METHOD_RETURN",
        NamespaceBlock = "NAMESPACE_BLOCK",
        Parameter = "METHOD_PARAMETER_IN",
        PyBinding = "PY_BINDING",
        Return = "RETURN",
        Scope = "PY_SCOPE",
        TypeDecl = "TYPE_DECL",
        TypeExpr = "PY_TYPE_EXPR",
        Unknown = "UNKNOWN",
    }
}

labels! {
    /// The class of a node in CPython's `ast` module.
    pub(crate) enum AstKind {
        Alias = "alias", AnnAssign, Arg = "arg", Assert, Assign, AsyncFor, AsyncFunctionDef, AsyncWith,
        Attribute, AugAssign, Await, BinOp, BoolOp, Break, Call, ClassDef, Compare, Constant, Continue,
        Delete, Dict, DictComp, ExceptHandler, Expr, For, FormattedValue, FunctionDef, GeneratorExp,
        Global, If, IfExp, Import, ImportFrom, Interpolation, JoinedStr, Keyword = "keyword", Lambda,
        List, ListComp, Match, MatchAs, MatchClass, MatchMapping, MatchOr, MatchSequence,
        MatchSingleton, MatchStar, MatchValue, Module, Name, NamedExpr, Nonlocal, ParamSpec, Pass,
        Raise, Return, Set, SetComp, Slice, Starred, Subscript, TemplateStr, Try, TryStar, Tuple,
        TypeAlias, TypeVar, TypeVarTuple, UnaryOp, While, With, Yield, YieldFrom,
    }
}

labels! {
    /// The field of CPython's `ast` node in which a child sits.
    pub(crate) enum Field {
        Annotation = "annotation", Args = "args", Attr = "attr", Bases = "bases", Body = "body",
        Bound = "bound", Cases = "cases", Cause = "cause", Cls = "cls", Comparators = "comparators",
        ContextExpr = "context_expr", DecoratorList = "decorator_list", Default = "default",
        DefaultValue = "default_value", Elt = "elt", Elts = "elts", Exc = "exc",
        Finalbody = "finalbody", FormatSpec = "format_spec", Func = "func", Generators = "generators",
        Guard = "guard", Handlers = "handlers", Ifs = "ifs", Iter = "iter", Key = "key",
        Keys = "keys", Keywords = "keywords", KwdAttrs = "kwd_attrs", KwdPatterns = "kwd_patterns",
        Left = "left", Lower = "lower", Msg = "msg", Name = "name", Names = "names", Operand = "operand",
        OptionalVars = "optional_vars", Orelse = "orelse", Pattern = "pattern", Patterns = "patterns",
        Rest = "rest", Returns = "returns", Right = "right", Slice = "slice", Step = "step",
        Subject = "subject", Target = "target", Targets = "targets", Test = "test", Type = "type",
        TypeParams = "type_params", Upper = "upper", Value = "value", Values = "values",
    }
}
