use std::sync::Arc;

use super::Derived;

#[test]
fn a_value_is_made_once_for_each_type() {
    let derived = Derived::default();
    let number = derived.of(|| 1_u32);
    let text = derived.of(|| String::from("one"));
    assert!(Arc::ptr_eq(&number, &derived.of(|| 2_u32)));
    assert!(Arc::ptr_eq(&text, &derived.of(|| String::from("two"))));
}

#[test]
fn a_clone_knows_nothing() {
    let derived = Derived::default();
    derived.of(|| 1_u32);
    assert_eq!(*derived.clone().of(|| 2_u32), 2);
}

#[test]
fn a_type_without_a_place_is_made_each_time() {
    let derived = Derived::default();
    let _filled = (derived.of(|| 1_u8), derived.of(|| 1_u16), derived.of(|| 1_u32), derived.of(|| 1_u64));
    assert_eq!((*derived.of(|| 1_i8), *derived.of(|| 2_i8)), (1, 2));
    assert_eq!(*derived.of(|| 2_u64), 1);
}
