# docker build -t lungcnn . && docker run --rm -p 7860:7860 -e LUNGCNN_DEMO_AUTH=user:password lungcnn
FROM python:3.11-slim
RUN useradd --create-home demo
WORKDIR /home/demo/app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY lungcnn lungcnn
COPY demo demo
COPY models models
COPY examples examples
USER demo
EXPOSE 7860
CMD ["python", "-m", "demo", "--host", "0.0.0.0", "--port", "7860"]
