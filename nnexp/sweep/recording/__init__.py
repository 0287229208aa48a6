"""Recording a command's runs while others are trained."""
