;; The right name, and a function that isn't there.
(component
  (import "whimbrel:observe/log@0.1.0" (instance (export "shout" (func))))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
