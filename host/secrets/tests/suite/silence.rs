//! Types that hold values have no way to show them by accident. Whoever gives one of them such a way finds that this doesn't
//! compile.

use std::fmt::{Debug, Display};

use serde::Serialize;
use whimbrel_secrets::{Readings, Secret};

/// Compiles as long as none of these types has this trait: with it there would be two implementations to choose from.
macro_rules! have_none {
    ($trait:path: $($type:ty),*) => {
        $({
            trait Unmistakable<Which> {
                const IT_IS: () = ();
            }
            impl<T: ?Sized> Unmistakable<()> for T {}
            #[allow(dead_code, reason = "only to be told apart")]
            struct WithTheTrait;
            impl<T: ?Sized + $trait> Unmistakable<WithTheTrait> for T {}
            let () = <$type as Unmistakable<_>>::IT_IS;
        })*
    };
}

#[test]
const fn what_holds_a_secret_can_not_be_shown() {
    have_none!(Debug: Secret, Readings);
    have_none!(Display: Secret, Readings);
    have_none!(Serialize: Secret, Readings);
}
