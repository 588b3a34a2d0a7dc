# docker build -t lungcnn . && docker run --rm -p 7860:7860 -e LUNGCNN_DEMO_AUTH=user:password lungcnn
FROM python:3.11-slim
COPY . /source
RUN pip install --no-cache-dir "/source[demo]" && rm -r /source
RUN useradd --create-home demo
USER demo
WORKDIR /home/demo
EXPOSE 7860
# Ready once the model is loaded and answers; the image has no curl, and a proxy of its environment doesn't know it.
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:7860/healthz')"]
CMD ["lungcnn-demo", "--host", "0.0.0.0", "--port", "7860"]
