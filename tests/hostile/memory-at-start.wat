;; Begins with 131 MB.
(component
  (core module $m (memory 2000))
  (core instance (instantiate $m))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
