//! Types and values for property tests.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Number, Type, Value};

/// Any type; `dynamic` where the protocol has it.
pub(crate) fn types() -> impl Strategy<Value = Type> {
    types_from(prop_oneof![
        Just(Type::String),
        Just(Type::Number),
        Just(Type::Bool),
        Just(Type::Dynamic),
    ])
}

fn types_from(leaf: impl Strategy<Value = Type> + 'static) -> impl Strategy<Value = Type> {
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|kind| Type::List(Box::new(kind))),
            inner.clone().prop_map(|kind| Type::Set(Box::new(kind))),
            inner.clone().prop_map(|kind| Type::Map(Box::new(kind))),
            prop::collection::btree_map(names(), inner.clone(), 0..4).prop_map(Type::Object),
            prop::collection::vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,6}",
        "\\$?\\$?[a-z]{0,3}",
        Just("$unknown".to_owned())
    ]
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        proptest::num::f64::NORMAL.prop_map(|value| Number::from_f64(value).unwrap()),
        "-?[0-9]{1,60}(\\.[0-9]{1,60})?(e-?[0-9]{1,3})?".prop_map(|text| text.parse().unwrap()),
    ]
}

/// A type and a value of it.
pub(crate) fn typed() -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(|kind| {
        let value = value_of(&kind);
        (Just(kind), value)
    })
}

fn value_of(kind: &Type) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match kind {
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => numbers().prop_map(Value::Number).boxed(),
        Type::List(element) | Type::Set(element) => prop::collection::vec(value_of(element), 0..4)
            .prop_map(Value::List)
            .boxed(),
        Type::Map(element) => prop::collection::btree_map(names(), value_of(element), 0..4)
            .prop_map(Value::Map)
            .boxed(),
        Type::Tuple(elements) => elements
            .iter()
            .map(value_of)
            .collect::<Vec<_>>()
            .prop_map(Value::List)
            .boxed(),
        Type::Object(attributes) => {
            let names: Vec<String> = attributes.keys().cloned().collect();
            attributes
                .values()
                .map(value_of)
                .collect::<Vec<_>>()
                .prop_map(move |values| {
                    let members = names.iter().cloned().zip(values);
                    Value::Map(members.collect::<BTreeMap<_, _>>())
                })
                .boxed()
        }
        Type::Dynamic => {
            let concrete = prop_oneof![Just(Type::String), Just(Type::Number), Just(Type::Bool)];
            types_from(concrete)
                .prop_flat_map(|kind| {
                    let value = value_of(&kind);
                    value.prop_map(move |value| {
                        Value::Dynamic(Box::new(kind.clone()), Box::new(value))
                    })
                })
                .boxed()
        }
    };
    prop_oneof![8 => known, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed()
}
