;; Says that it is a step, and has none of a step's functions.
(component
  (instance $nothing)
  (export "whimbrel:step/step@0.1.0" (instance $nothing)))
