;; Built for an interface that this host doesn't have yet.
(component
  (import "whimbrel:sql/database@0.2.0" (instance))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
