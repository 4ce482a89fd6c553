;; The right name, and parameters of its own.
(component
  (import "whimbrel:observe/log@0.1.0" (instance (export "write" (func (param "everything" string)))))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
