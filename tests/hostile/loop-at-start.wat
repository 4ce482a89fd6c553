;; Never gets to its end of beginning.
(component
  (core module $m
    (func $start (loop $again (br $again)))
    (start $start))
  (core instance (instantiate $m))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
