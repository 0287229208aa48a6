"""Recording a sweep's runs while others are trained."""
