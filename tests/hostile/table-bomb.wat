;; Grows a table before anything is called.
(component
  (core module $m
    (table $t 1 funcref)
    (func $start (drop (table.grow $t (ref.null func) (i32.const 10000000))))
    (start $start))
  (core instance (instantiate $m))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
