;; Of a world, but no step.
(component
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
