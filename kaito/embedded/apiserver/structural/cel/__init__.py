"""The Common Expression Language as Kubernetes 1.34 has it in CustomResourceDefinitions: parsed, type-checked, costed
and evaluated. Pure; knows nothing about schemas but the types that it is given."""
